package dev.sreedge.client;

import dev.sreedge.v1.Cursor;
import dev.sreedge.v1.SimulationServiceGrpc;
import dev.sreedge.v1.StreamMetricsRequest;
import dev.sreedge.v1.StreamMetricsResponse;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** A stream of snapshots that survives lost connections and restarted servers. */
final class Watch {
  private static final long FIRST_BACKOFF_MS = 200;
  private static final long MAX_BACKOFF_MS = 2_000;

  private final Connection connection;
  private final ManagedChannel channel;
  private final Freshness freshness;
  private Cursor cursor;
  private boolean connected;
  private long backoffMs = FIRST_BACKOFF_MS;

  Watch(Connection connection, ManagedChannel channel) {
    this.connection = connection;
    this.channel = channel;
    this.freshness = new Freshness(connection.target);
  }

  /**
   * Hands on messages until the taker wants no more. A stream that is lost is opened again after
   * the last snapshot; what the server cannot make up for comes as a gap. What is no longer true is
   * said on standard error; a stream that stays silent is opened anew, over another connection.
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

  /** What a stream came to next: a message, an error, or neither at its end. */
  private record Arrival(StreamMetricsResponse message, StatusRuntimeException error) {}

  /** Reads one stream; returns whether its taker wants more. */
  private boolean read(List<String> services, Predicate<StreamMetricsResponse> wantsMore)
      throws InterruptedException {
    var request = StreamMetricsRequest.newBuilder().setSystem(connection.system).addAllServices(services);
    if (cursor != null) {
      request.setResumeAfter(cursor);
    }
    freshness.open();
    var arrivals = new SynchronousQueue<Arrival>();
    // Cancelled when done: whatever happens, the server's side ends with ours.
    try (var context = Context.current().withCancellation()) {
      var reading = new Thread(context.wrap(() -> deliver(request.build(), arrivals)), "stream");
      reading.setDaemon(true);
      reading.start();
      try {
        while (freshness.silentS() <= Freshness.RENEW_S) {
          var arrival = arrivals.poll(1, TimeUnit.SECONDS);
          if (arrival == null) {
            tell(freshness.overdue());
          } else if (arrival.error() != null) {
            throw arrival.error();
          } else if (arrival.message() == null) {
            return true;
          } else if (!take(arrival.message(), wantsMore)) {
            return false;
          }
        }
        channel.enterIdle(); // the next stream gets another connection
        return true;
      } finally {
        reading.interrupt();
      }
    }
  }

  private boolean take(StreamMetricsResponse message, Predicate<StreamMetricsResponse> wantsMore) {
    connected = true;
    backoffMs = FIRST_BACKOFF_MS;
    if (freshness.hear(message)) {
      tell("up to date again");
    }
    if (message.hasSnapshot()) {
      cursor = message.getSnapshot().getCursor();
    }
    return wantsMore.test(message);
  }

  /** Reads a stream in a thread of its own, so that who waits for it can do something else. */
  private void deliver(StreamMetricsRequest request, SynchronousQueue<Arrival> arrivals) {
    try {
      try {
        var stub = connection.authorized(SimulationServiceGrpc.newBlockingStub(channel));
        var messages = stub.streamMetrics(request);
        while (messages.hasNext()) {
          arrivals.put(new Arrival(messages.next(), null));
        }
        arrivals.put(new Arrival(null, null));
      } catch (StatusRuntimeException error) {
        arrivals.put(new Arrival(null, error));
      }
    } catch (InterruptedException done) {
      Thread.currentThread().interrupt(); // nobody waits for more
    }
  }

  private static void tell(String text) {
    if (!text.isEmpty()) {
      System.err.println(text);
    }
  }
}
