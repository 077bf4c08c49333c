package dev.sreedge.client;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A call that did not succeed.
 *
 * @param code name of the status
 * @param message for people
 * @param reason from {@code sre_edge.v1.ErrorReason}, without its prefix; null if there is none
 * @param metadata further facts by name
 * @param violations the fields at fault
 */
record Failure(
    String code,
    String message,
    String reason,
    Map<String, String> metadata,
    List<Violation> violations) {

  /** A field of a request that is wrong, and what was expected of it. */
  record Violation(String field, String description) {}

  /** Takes an error of gRPC apart. */
  static Failure of(StatusRuntimeException error) {
    var status = StatusProto.fromThrowable(error);
    String reason = null;
    Map<String, String> metadata = Map.of();
    List<Violation> violations = List.of();
    try {
      for (var detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          var info = detail.unpack(ErrorInfo.class);
          reason = info.getReason();
          metadata = info.getMetadataMap();
        } else if (detail.is(BadRequest.class)) {
          violations =
              detail.unpack(BadRequest.class).getFieldViolationsList().stream()
                  .map(one -> new Violation(one.getField(), one.getDescription()))
                  .toList();
        }
      }
    } catch (InvalidProtocolBufferException damaged) {
      throw new IllegalStateException(damaged);
    }
    return new Failure(
        error.getStatus().getCode().name(), status.getMessage(), reason, metadata, violations);
  }

  /** Words it for people. */
  String explain(String target) {
    return switch (code) {
      case "UNAVAILABLE", "DEADLINE_EXCEEDED" ->
          reason != null
              ? text()
              : "no SRE Edge server answers at " + target + " (" + message + ")";
      case "UNAUTHENTICATED" -> "the server at " + target + " refuses the token: " + message;
      case "UNIMPLEMENTED" ->
          "the server at " + target + " is older than this client (" + message + ")";
      default -> text();
    };
  }

  int exitCode() {
    return switch (code) {
      case "UNAVAILABLE", "DEADLINE_EXCEEDED" -> 3;
      case "UNAUTHENTICATED" -> 4;
      case "UNIMPLEMENTED" -> 5;
      default -> 2;
    };
  }

  /** Whether the server would say the same again; a slow reader may go on. */
  boolean isFinal() {
    return switch (code) {
      case "INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED", "UNIMPLEMENTED",
          "FAILED_PRECONDITION" -> true;
      case "RESOURCE_EXHAUSTED" -> !"SLOW_SUBSCRIBER".equals(reason);
      default -> false;
    };
  }

  private String text() {
    if (reason == null) {
      return message;
    }
    if (violations.isEmpty()) {
      return reason + ": " + message;
    }
    return violations.stream() // the message repeats them
        .map(one -> "\n  " + one.field() + ": " + one.description())
        .collect(Collectors.joining("", reason + ":", ""));
  }
}
