package dev.sreedge.client;

import com.google.protobuf.util.Durations;
import dev.sreedge.v1.ChaosServiceGrpc;
import dev.sreedge.v1.FaultKind;
import dev.sreedge.v1.InjectChaosRequest;
import dev.sreedge.v1.PredictRequest;
import dev.sreedge.v1.PredictionServiceGrpc;
import dev.sreedge.v1.StreamMetricsResponse;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import sun.misc.Signal;

/**
 * A small complete client of SRE Edge: it watches, predicts and injects faults, and shows how a
 * program in Java reads the server's errors and resumes its streams.
 */
@Command(
    name = "sre-edge-java",
    synopsisSubcommandLabel = "COMMAND",
    footer = "%nExit codes: 0 done, 2 refused, 3 no server there, 4 token refused, 5 server too old")
final class Main {
  @Mixin Connection connection;

  @Option(
      names = "--count",
      paramLabel = "N",
      description = "With watch: end after so many snapshots.")
  int count;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Say how it is used.")
  boolean help;

  public static void main(String[] arguments) {
    var main = new Main();
    var line = new CommandLine(main);
    line.setExecutionExceptionHandler((error, command, parsed) -> main.tell(error));
    System.exit(line.execute(arguments));
  }

  @Command(description = "Print snapshots until Ctrl-C, over lost connections.")
  void watch(@Parameters(paramLabel = "SERVICE") String[] services) throws Exception {
    var channel = connection.channel();
    // Ctrl-C is how it ends, and no failure; closing the channel cancels the stream.
    Signal.handle(
        new Signal("INT"),
        signal -> {
          channel.shutdownNow();
          Runtime.getRuntime().halt(0);
        });
    var taken = new int[1];
    try {
      new Watch(connection, channel)
          .follow(
              names(services),
              message -> {
                if (!message.hasHeartbeat()) {
                  System.out.println(describe(message));
                }
                return !message.hasSnapshot() || ++taken[0] != count;
              });
    } finally {
      close(channel);
    }
  }

  @Command(description = "Say what is observed now; \"-\" is not observed.")
  void metrics(@Parameters(paramLabel = "SERVICE") String[] services) throws Exception {
    var channel = connection.channel();
    try {
      new Metrics(connection, channel).lines(names(services)).forEach(System.out::println);
    } finally {
      close(channel);
    }
  }

  @Command(description = "Say what is about to break.")
  void predict(@Parameters(paramLabel = "SERVICE") String[] services) throws Exception {
    var channel = connection.channel();
    try {
      var answer =
          connection
              .authorized(PredictionServiceGrpc.newBlockingStub(channel))
              .withDeadlineAfter(Connection.DEADLINE_S, TimeUnit.SECONDS)
              .predict(
                  PredictRequest.newBuilder()
                      .setSystem(connection.system)
                      .addAllServices(names(services))
                      .build());
      for (var one : answer.getPredictionsList()) {
        var level = lower(one.getRiskLevel().name(), "RISK_LEVEL_");
        System.out.printf(
            Locale.ROOT, "%s %.4f %s%n", one.getService(), one.getIncidentProbability(), level);
      }
      System.out.printf(Locale.ROOT, "system %.4f%n", answer.getSystem().getIncidentProbability());
    } finally {
      close(channel);
    }
  }

  @Command(description = "Inject a fault, such as: inject database cpu_spike 30s.")
  void inject(
      @Parameters(paramLabel = "TARGET") String target,
      @Parameters(paramLabel = "KIND") String kind,
      @Parameters(paramLabel = "DURATION") String lasting)
      throws Exception {
    var channel = connection.channel();
    try {
      var request =
          InjectChaosRequest.newBuilder()
              .setSystem(connection.system)
              .setTarget(target)
              .setKind(kind(kind))
              .setDuration(Durations.fromMillis(Duration.parse("PT" + lasting).toMillis()))
              .build();
      var fault =
          connection
              .authorized(ChaosServiceGrpc.newBlockingStub(channel))
              .withDeadlineAfter(Connection.DEADLINE_S, TimeUnit.SECONDS)
              .injectChaos(request)
              .getFault();
      System.out.printf("%s %s on %s%n", fault.getId(), kind, fault.getTarget());
    } finally {
      close(channel);
    }
  }

  @Command(description = "Make the calls on standard input, one JSON each line.")
  void call() throws Exception {
    var channel = connection.channel();
    try {
      new Calls(connection, channel)
          .answer(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)));
    } finally {
      close(channel);
    }
  }

  private int tell(Exception error) {
    if (error instanceof StatusRuntimeException refused) {
      var failure = Failure.of(refused);
      System.err.println(failure.explain(connection.target));
      return failure.exitCode();
    }
    System.err.println(
        error instanceof DateTimeParseException
            ? "expected a duration such as 30s"
            : error.getMessage());
    return 2;
  }

  private static String describe(StreamMetricsResponse message) {
    if (message.hasSnapshot()) {
      var taken = message.getSnapshot();
      var risk = // "-": the model has not seen enough yet
          taken.hasSystem()
              ? String.format(Locale.ROOT, "%.4f", taken.getSystem().getIncidentProbability())
              : "-";
      var cursor = taken.getCursor();
      return "snapshot %s %d risk %s".formatted(cursor.getRunId(), cursor.getSequence(), risk);
    }
    if (message.hasGap()) {
      var lost = message.getGap();
      return "gap %s %s %d %d"
          .formatted(
              lower(lost.getReason().name(), "GAP_REASON_"),
              lost.getRunId(),
              lost.getFirstSequence(),
              lost.getLastSequence());
    }
    var clock = message.getClock();
    return "clock paused %b speed %s".formatted(clock.getPaused(), clock.getSpeed());
  }

  private static FaultKind kind(String name) {
    try {
      return FaultKind.valueOf("FAULT_KIND_" + name.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException unknown) {
      throw new IllegalArgumentException("no kind of fault is named " + name, unknown);
    }
  }

  private static List<String> names(String[] services) {
    return services == null ? List.of() : List.of(services);
  }

  private static String lower(String name, String prefix) {
    return name.substring(prefix.length()).toLowerCase(Locale.ROOT);
  }

  private static void close(ManagedChannel channel) throws InterruptedException {
    channel.shutdownNow().awaitTermination(1, TimeUnit.SECONDS);
  }
}
