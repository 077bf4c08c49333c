/** What the server says of a call that did not succeed. */

import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { status, type ServiceError } from "@grpc/grpc-js";

import { BadRequestSchema, ErrorInfoSchema } from "../generated/google/rpc/error_details_pb.js";
import { StatusSchema } from "../generated/google/rpc/status_pb.js";

/** A call that did not succeed: the code, the server's reason, the fields at fault. */
export interface Failure {
  code: string;
  message: string;
  /** From `sre_edge.v1.ErrorReason`, without its prefix. */
  reason?: string;
  metadata?: Record<string, string>;
  violations?: { field: string; description: string }[];
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error && "details" in error;
}

/** Takes an error of gRPC apart. */
export function read(error: ServiceError): Failure {
  const failure: Failure = { code: status[error.code], message: error.details };
  const [binary] = error.metadata.get("grpc-status-details-bin");
  for (const detail of binary ? fromBinary(StatusSchema, binary as Buffer).details : []) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    const bad = anyUnpack(detail, BadRequestSchema);
    if (info) {
      failure.reason = info.reason;
      failure.metadata = info.metadata;
    }
    if (bad) {
      failure.violations = bad.fieldViolations.map(({ field, description }) => ({
        field,
        description,
      }));
    }
  }
  return failure;
}

/** Words an error for people, and gives the exit code. */
export function explain(error: unknown, target: string): [text: string, exitCode: number] {
  if (!isServiceError(error)) {
    return [error instanceof Error ? error.message : String(error), 2];
  }
  const { code, message, reason, violations = [] } = read(error);
  const lines = violations.map(({ field, description }) => `\n  ${field}: ${description}`);
  const told = lines.length ? lines.join("") : ` ${message}`; // the message repeats the fields
  const text = reason ? `${reason}:${told}` : message;
  switch (code) {
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
      return [reason ? text : `no SRE Edge server answers at ${target} (${message})`, 3];
    case "UNAUTHENTICATED":
      return [`the server at ${target} refuses the token: ${message}`, 4];
    case "UNIMPLEMENTED":
      return [`the server at ${target} is older than this client (${message})`, 5];
    default:
      return [text, 2];
  }
}
