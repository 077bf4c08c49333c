package dev.sreedge.client;

import io.grpc.CallCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.AbstractStub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Option;

/** Where the server is, and what it takes to be let in. */
final class Connection {
  static final long DEADLINE_S = 30;
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /** Calls that only read are sent again by gRPC itself when the connection breaks. */
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(
                      method("SimulationService", "GetTopology"),
                      method("SimulationService", "GetMetrics"),
                      method("PredictionService", "Predict")),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts", 4.0,
                      "initialBackoff", "0.1s",
                      "maxBackoff", "1s",
                      "backoffMultiplier", 2.0,
                      "retryableStatusCodes", List.of("UNAVAILABLE")))));

  @Option(
      names = "--target",
      paramLabel = "HOST:PORT",
      defaultValue = "${SRE_EDGE_TARGET:-127.0.0.1:50051}",
      description = "Of the server (SRE_EDGE_TARGET).")
  String target;

  @Option(
      names = "--ca",
      paramLabel = "FILE",
      defaultValue = "${SRE_EDGE_CA}",
      description = "Who signed the server's certificate, PEM; none: no TLS (SRE_EDGE_CA).")
  Path ca;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      defaultValue = "${SRE_EDGE_TOKEN_FILE}",
      description = "The server's token (SRE_EDGE_TOKEN_FILE).")
  Path tokenFile;

  @Option(
      names = "--system",
      paramLabel = "ID",
      defaultValue = "${SRE_EDGE_SYSTEM:-}",
      description = "System to ask about; none: the default one, or the only one (SRE_EDGE_SYSTEM).")
  String system;

  ManagedChannel channel() throws IOException {
    if (tokenFile != null && ca == null && !isLoopback()) {
      throw new IOException(
          "the token would travel to " + target + " in plain text: expected --ca");
    }
    var credentials =
        ca == null
            ? InsecureChannelCredentials.create()
            : TlsChannelCredentials.newBuilder().trustManager(ca.toFile()).build();
    return Grpc.newChannelBuilder(target, credentials)
        .defaultServiceConfig(SERVICE_CONFIG)
        .keepAliveTime(20, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
  }

  /** Gives a stub the token; its file is read again for each call, for it may change. */
  <S extends AbstractStub<S>> S authorized(S stub) {
    return tokenFile == null ? stub : stub.withCallCredentials(token());
  }

  CallCredentials token() {
    return new CallCredentials() {
      @Override
      public void applyRequestMetadata(RequestInfo call, Executor executor, MetadataApplier to) {
        executor.execute(
            () -> {
              try {
                var metadata = new Metadata();
                metadata.put(AUTHORIZATION, "Bearer " + Files.readString(tokenFile).strip());
                to.apply(metadata);
              } catch (IOException error) {
                to.fail(Status.UNAUTHENTICATED.withDescription(tokenFile + ": cannot be read"));
              }
            });
      }
    };
  }

  private boolean isLoopback() {
    return target.matches("(localhost|127(\\.\\d+){3}|\\[::1\\]):\\d+");
  }

  private static Map<String, String> method(String service, String name) {
    return Map.of("service", "sre_edge.v1." + service, "method", name);
  }
}
