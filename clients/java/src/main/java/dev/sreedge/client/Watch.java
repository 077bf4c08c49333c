package dev.sreedge.client;

import dev.sreedge.v1.Cursor;
import dev.sreedge.v1.SimulationServiceGrpc;
import dev.sreedge.v1.StreamMetricsRequest;
import dev.sreedge.v1.StreamMetricsResponse;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.function.Predicate;

/** A stream of snapshots that survives lost connections and restarted servers. */
final class Watch {
  private static final long FIRST_BACKOFF_MS = 200;
  private static final long MAX_BACKOFF_MS = 2_000;

  private final Connection connection;
  private final Channel channel;
  private Cursor cursor;
  private boolean connected;
  private long backoffMs = FIRST_BACKOFF_MS;

  Watch(Connection connection, Channel channel) {
    this.connection = connection;
    this.channel = channel;
  }

  /**
   * Hands on messages until the taker wants no more. A stream that is lost is opened again after
   * the last snapshot; what the server cannot make up for comes as a gap.
   */
  void follow(List<String> services, Predicate<StreamMetricsResponse> wantsMore)
      throws InterruptedException {
    while (true) {
      try {
        if (!read(services, wantsMore)) {
          return;
        }
      } catch (StatusRuntimeException error) {
        var failure = Failure.of(error);
        if (failure.code().equals("INVALID_ARGUMENT") && cursor != null) {
          cursor = null; // of a server that has begun anew
        } else if (!connected || failure.isFinal()) {
          throw error;
        }
        System.err.println("the stream was lost (" + failure.message() + "); trying again");
      }
      Thread.sleep(backoffMs);
      backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS);
    }
  }

  /** Reads one stream; returns whether its taker wants more. */
  private boolean read(List<String> services, Predicate<StreamMetricsResponse> wantsMore) {
    var request = StreamMetricsRequest.newBuilder().setSystem(connection.system).addAllServices(services);
    if (cursor != null) {
      request.setResumeAfter(cursor);
    }
    // Cancelled when done: whatever happens, the server's side ends with ours.
    try (var context = Context.current().withCancellation()) {
      var outer = context.attach();
      try {
        var stub = connection.authorized(SimulationServiceGrpc.newBlockingStub(channel));
        var messages = stub.streamMetrics(request.build());
        while (messages.hasNext()) {
          var message = messages.next();
          connected = true;
          backoffMs = FIRST_BACKOFF_MS;
          if (message.hasSnapshot()) {
            cursor = message.getSnapshot().getCursor();
          }
          if (!wantsMore.test(message)) {
            return false;
          }
        }
        return true;
      } finally {
        context.detach(outer);
      }
    }
  }
}
