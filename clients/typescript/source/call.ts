/** Calls by name, with requests and answers in JSON: what the contract tests run. */

import {
  createRegistry,
  fromJson,
  toJson,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { createInterface } from "node:readline";

import { file_sre_edge_v1_chaos_service as chaos } from "../generated/sre_edge/v1/chaos_service_pb.js";
import { file_sre_edge_v1_incident_service as incident } from "../generated/sre_edge/v1/incident_service_pb.js";
import { file_sre_edge_v1_prediction_service as prediction } from "../generated/sre_edge/v1/prediction_service_pb.js";
import { file_sre_edge_v1_simulation_service as simulation } from "../generated/sre_edge/v1/simulation_service_pb.js";
import { file_sre_edge_v1_system_service as system } from "../generated/sre_edge/v1/system_service_pb.js";
import type { Channel } from "./channel.js";
import { isServiceError, read, type Failure } from "./failure.js";

const SERVICES = createRegistry(chaos, incident, prediction, simulation, system);

/** A call to make, such as {"call": "sre_edge.v1.ChaosService/InjectChaos", "request": {…}}. */
interface Order {
  call: string;
  request: JsonValue;
  /** Of a stream, then it is cancelled. */
  messages?: number;
}

/** Makes the calls on standard input, one JSON each line, and writes an outcome for each. */
export async function callAll(channel: Channel): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await outcome(channel, JSON.parse(line) as Order)));
  }
}

async function outcome(
  channel: Channel,
  order: Order,
): Promise<{ answers: JsonValue[] } | Failure> {
  try {
    return { answers: await call(channel, order) };
  } catch (error) {
    if (isServiceError(error)) return read(error);
    throw error;
  }
}

async function call(channel: Channel, order: Order): Promise<JsonValue[]> {
  const method = find(order.call);
  const request = fromJson(method.input, order.request);
  if (method.methodKind === "unary") {
    return [json(method.output, await channel.unary(method as DescMethodUnary, request))];
  }
  const stream = channel.stream(method as DescMethodServerStreaming, request);
  const answers: JsonValue[] = [];
  try {
    for await (const message of stream) {
      answers.push(json(method.output, message as MessageShape<DescMessage>));
      if (answers.length === (order.messages ?? 1)) break;
    }
  } finally {
    stream.on("error", () => {}); // that it was cancelled is no news
    stream.cancel();
  }
  return answers;
}

function find(path: string): DescMethod {
  const [service = "", name = ""] = path.split("/");
  const method = SERVICES.getService(service)?.methods.find((one) => one.name === name);
  if (!method) throw new Error(`no call is named ${path}`);
  return method;
}

function json(kind: DescMessage, message: MessageShape<DescMessage>): JsonValue {
  return toJson(kind, message, { useProtoFieldName: true });
}
