package dev.sreedge.client;

import com.google.protobuf.util.Durations;
import dev.sreedge.v1.Clock;
import dev.sreedge.v1.Heartbeat;
import dev.sreedge.v1.StreamMetricsResponse;
import dev.sreedge.v1.SystemState;
import java.time.Duration;

/**
 * Judges whether what a stream delivered is still true. It does not go by the transport, which takes
 * a minute to notice that a server or something on the way is frozen.
 */
final class Freshness {
  private static final double OLD_INTERVALS = 3;
  private static final double MIN_OLD_S = 5;

  /** A server leaves a stream without a message for 2 s, 3 s at most: then comes a heartbeat. */
  private static final double SILENT_S = 6;

  /** After so much silence, a stream is opened anew. */
  static final double RENEW_S = 15;

  /** Why what came is out of date, the server's reason or "", and since when. */
  private record Stale(String reason, String problem, double ageS) {
    boolean repeats(Stale before) {
      return before != null && reason.equals(before.reason) && problem.equals(before.problem);
    }
  }

  private final String target;
  private long opened = System.nanoTime();
  private long heard = opened;
  private long data;
  private double dueS;
  private Clock clock = Clock.getDefaultInstance();
  private Heartbeat heartbeat; // since the latest snapshot
  private Stale said;

  Freshness(String target) {
    this.target = target;
  }

  void open() {
    opened = System.nanoTime();
  }

  /** Takes a message; returns whether what was said to be stale no longer is. */
  boolean hear(StreamMetricsResponse message) {
    heard = System.nanoTime();
    switch (message.getMessageCase()) {
      case SNAPSHOT -> {
        data = heard;
        dueS = OLD_INTERVALS * message.getSnapshot().getIntervalSeconds();
        clock = message.getSnapshot().getClock();
        heartbeat = null;
      }
      case CLOCK -> {
        data = heard; // more is due from now on
        clock = message.getClock();
      }
      case HEARTBEAT -> heartbeat = message.getHeartbeat();
      default -> {}
    }
    if (said == null || stale() != null) {
      return false;
    }
    said = null;
    return true;
  }

  /** How long the open stream has been silent, seconds. */
  double silentS() {
    return Math.min(since(heard), since(opened));
  }

  /** Says once what has become stale; "" if nothing has. */
  String overdue() {
    var stale = stale();
    if (stale == null || stale.repeats(said)) {
      return "";
    }
    said = stale;
    var text = "stale: %s for %d s".formatted(stale.reason, Math.round(stale.ageS));
    return stale.problem.isEmpty() ? text : text + ": " + stale.problem;
  }

  private Stale stale() {
    if (silentS() > SILENT_S) {
      return new Stale("no sign of life from " + target, "", since(heard));
    }
    if (heartbeat == null || heard - opened < 0) {
      return null; // nothing has come since: is anybody there?
    }
    if (heartbeat.getState() == SystemState.SYSTEM_STATE_STALE) {
      return old(Durations.toSecondsAsDouble(heartbeat.getFrameAge()));
    }
    if (heartbeat.getState() != SystemState.SYSTEM_STATE_LIVE
        || clock.getPaused()
        || clock.getSpeed() <= 0) {
      return null; // no more is due
    }
    var limitS = Math.max(dueS / clock.getSpeed(), MIN_OLD_S);
    return since(data) > limitS ? old(since(data)) : null;
  }

  private Stale old(double ageS) {
    return new Stale("no new data", heartbeat.getProblem(), ageS);
  }

  private static double since(long moment) {
    return Duration.ofNanos(System.nanoTime() - moment).toMillis() / 1e3;
  }
}
