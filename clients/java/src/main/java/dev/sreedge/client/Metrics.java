package dev.sreedge.client;

import dev.sreedge.v1.GetMetricsRequest;
import dev.sreedge.v1.ServiceMetrics;
import dev.sreedge.v1.SimulationServiceGrpc;
import io.grpc.Channel;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** What is observed of each service, and how old it is if that is more than an interval. */
final class Metrics {
  private final Connection connection;
  private final Channel channel;

  Metrics(Connection connection, Channel channel) {
    this.connection = connection;
    this.channel = channel;
  }

  /** Asks for the latest snapshot; returns a line for each of these services, or for all. */
  List<String> lines(List<String> services) {
    var snapshot =
        connection
            .authorized(SimulationServiceGrpc.newBlockingStub(channel))
            .withDeadlineAfter(Connection.DEADLINE_S, TimeUnit.SECONDS)
            .getMetrics(
                GetMetricsRequest.newBuilder()
                    .setSystem(connection.system)
                    .addAllServices(services)
                    .build())
            .getSnapshot();
    return snapshot.getServicesList().stream()
        .map(one -> line(one, snapshot.getIntervalSeconds()))
        .toList();
  }

  private static String line(ServiceMetrics one, double interval) {
    return one.getService()
        + " "
        + one.getStatus().name().replaceFirst("^STATUS_", "").toLowerCase(Locale.ROOT)
        + observed("cpu_percent", one.hasCpuPercent(), one.getCpuPercent())
        + observed("latency_p95_ms", one.hasLatencyP95Ms(), one.getLatencyP95Ms())
        + observed("error_rate_percent", one.hasErrorRatePercent(), one.getErrorRatePercent())
        + observed(
            "availability_percent", one.hasAvailabilityPercent(), one.getAvailabilityPercent())
        + old("requests_age_seconds", one.getRequestsAgeSeconds(), interval)
        + old("resources_age_seconds", one.getResourcesAgeSeconds(), interval);
  }

  /** Writes a value; "-" if it is not observed: NaN, and not there from an older server. */
  private static String observed(String metric, boolean there, double value) {
    var text = there && !Double.isNaN(value) ? String.format(Locale.ROOT, "%.1f", value) : "-";
    return " " + metric + " " + text;
  }

  /** Writes an age that is more than an interval; NaN, "never observed", is none. */
  private static String old(String field, double age, double interval) {
    return age > interval ? String.format(Locale.ROOT, " %s %.0f", field, age) : "";
  }
}
