/** How a program reaches a server: the stubs of protobuf-es on the channels of grpc-js. */

import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { readFileSync } from "node:fs";

const DEADLINE_MS = 30_000;

/** Calls that only read are sent again by gRPC itself when the connection breaks. */
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [
        { service: "sre_edge.v1.SimulationService", method: "GetTopology" },
        { service: "sre_edge.v1.SimulationService", method: "GetMetrics" },
        { service: "sre_edge.v1.PredictionService", method: "Predict" },
      ],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.1s",
        maxBackoff: "1s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
});

const OPTIONS: grpc.ChannelOptions = {
  "grpc.service_config": SERVICE_CONFIG,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.use_local_subchannel_pool": 1, // so that another client has another connection
};

/** Where the server is, and what it takes to be let in. */
export interface Connection {
  target: string;
  ca?: string;
  tokenFile?: string;
}

/** A channel to one server; calls are typed by the methods of the generated descriptors. */
export class Channel {
  #client: grpc.Client;

  constructor(readonly connection: Connection) {
    const { target, ca, tokenFile } = connection;
    if (tokenFile && !ca && !isLoopback(target)) {
      throw new Error(`the token would travel to ${target} in plain text: expected --ca`);
    }
    this.#client = this.#connect();
  }

  /** Connects anew: the connection so far may lead nowhere. */
  renew(): void {
    this.#client.close();
    this.#client = this.#connect();
  }

  #connect(): grpc.Client {
    const { target, ca } = this.connection;
    const credentials = ca
      ? grpc.credentials.createSsl(readFileSync(ca))
      : grpc.credentials.createInsecure();
    return new grpc.Client(target, credentials, OPTIONS);
  }

  /** Makes a call with one answer; rejects with a `grpc.ServiceError`. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path(method),
        serializing(method.input),
        deserializing(method.output),
        create(method.input, request),
        this.#metadata(),
        { deadline: Date.now() + DEADLINE_MS },
        (error, answer) => (error ? reject(error) : resolve(answer!)),
      );
    });
  }

  /** Opens a stream; end it with `cancel()`, or it stays open on the server. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): grpc.ClientReadableStream<MessageShape<O>> {
    return this.#client.makeServerStreamRequest(
      path(method),
      serializing(method.input),
      deserializing(method.output),
      create(method.input, request),
      this.#metadata(),
    );
  }

  close(): void {
    this.#client.close();
  }

  /** The token is read again for each call: its file may change. */
  #metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    if (this.connection.tokenFile) {
      const token = readFileSync(this.connection.tokenFile, "utf8").trim();
      metadata.set("authorization", `Bearer ${token}`);
    }
    return metadata;
  }
}

function path(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function serializing<D extends DescMessage>(kind: D): (message: MessageShape<D>) => Buffer {
  return (message) => Buffer.from(toBinary(kind, message));
}

function deserializing<D extends DescMessage>(kind: D): (bytes: Buffer) => MessageShape<D> {
  return (bytes) => fromBinary(kind, bytes);
}

function isLoopback(target: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\]):\d+$/.test(target);
}
