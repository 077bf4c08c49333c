#!/usr/bin/env node
/**
 * A small complete client of SRE Edge: it watches, predicts and injects faults, and shows how a
 * program in TypeScript reads the server's errors and resumes its streams.
 */

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { parseArgs } from "node:util";

import { ChaosService } from "../generated/sre_edge/v1/chaos_service_pb.js";
import { FaultKind } from "../generated/sre_edge/v1/fault_pb.js";
import { RiskLevel } from "../generated/sre_edge/v1/prediction_pb.js";
import { PredictionService } from "../generated/sre_edge/v1/prediction_service_pb.js";
import type { StreamMetricsResponse } from "../generated/sre_edge/v1/simulation_service_pb.js";
import { GapReason } from "../generated/sre_edge/v1/snapshot_pb.js";
import { callAll } from "./call.js";
import { Channel } from "./channel.js";
import { explain } from "./failure.js";
import { metrics } from "./metrics.js";
import { watch } from "./watch.js";

const USAGE = `usage: sre-edge-typescript [OPTIONS] COMMAND

commands
  watch [SERVICE...]             snapshots until Ctrl-C, over lost connections
  metrics [SERVICE...]           what is observed now; "-" is not observed
  predict [SERVICE...]           what is about to break
  inject TARGET KIND DURATION    a fault, such as: inject database cpu_spike 30s
  call                           calls from standard input, one JSON each line

options
  --target HOST:PORT   of the server (SRE_EDGE_TARGET); 127.0.0.1:50051
  --ca FILE            who signed the server's certificate, PEM; none: no TLS (SRE_EDGE_CA)
  --token-file FILE    the server's token (SRE_EDGE_TOKEN_FILE)
  --system ID          system to ask about (SRE_EDGE_SYSTEM); the default one, or the only one
  --count N            watch: end after so many snapshots

exit codes: 0 done, 2 refused, 3 no server there, 4 token refused, 5 server too old`;

async function run(): Promise<number> {
  let target = process.env.SRE_EDGE_TARGET ?? "127.0.0.1:50051";
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        target: { type: "string", default: target },
        ca: { type: "string", default: process.env.SRE_EDGE_CA },
        "token-file": { type: "string", default: process.env.SRE_EDGE_TOKEN_FILE },
        system: { type: "string", default: process.env.SRE_EDGE_SYSTEM ?? "" },
        count: { type: "string", default: "0" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    target = values.target;
    const channel = new Channel({
      target,
      ...(values.ca && { ca: values.ca }),
      ...(values["token-file"] && { tokenFile: values["token-file"] }),
    });
    try {
      await obey(channel, values.system, positionals, Number(values.count));
    } finally {
      channel.close();
    }
    return 0;
  } catch (error) {
    const [text, code] = explain(error, target);
    console.error(text);
    return code;
  }
}

async function obey(
  channel: Channel,
  system: string,
  words: string[],
  count: number,
): Promise<void> {
  const [command, ...rest] = words;
  if (command === "watch") return follow(channel, system, rest, count);
  if (command === "metrics") return metrics(channel, system, rest);
  if (command === "predict") return predict(channel, system, rest);
  if (command === "inject") return inject(channel, system, rest);
  if (command === "call") return callAll(channel);
  throw new Error("expected a command; see --help");
}

async function follow(
  channel: Channel,
  system: string,
  services: string[],
  count: number,
): Promise<void> {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => ending.abort());
  let taken = 0;
  for await (const message of watch(channel, system, services, ending.signal)) {
    if (message.message.case !== "heartbeat") console.log(describe(message));
    if (message.message.case === "snapshot" && ++taken === count) return;
  }
}

function describe({ message }: StreamMetricsResponse): string {
  switch (message.case) {
    case "snapshot": {
      const { cursor, system } = message.value;
      const risk = system ? system.incidentProbability.toFixed(4) : "-"; // "-": not enough seen yet
      return `snapshot ${cursor?.runId} ${cursor?.sequence} risk ${risk}`;
    }
    case "gap": {
      const { reason, runId, firstSequence = 0, lastSequence = 0 } = message.value;
      return `gap ${GapReason[reason].toLowerCase()} ${runId} ${firstSequence} ${lastSequence}`;
    }
    case "clock":
      return `clock paused ${message.value.paused} speed ${message.value.speed}`;
    default:
      return "a message of a newer server";
  }
}

async function predict(channel: Channel, system: string, services: string[]): Promise<void> {
  const answer = await channel.unary(PredictionService.method.predict, { system, services });
  for (const { service, incidentProbability, riskLevel } of answer.predictions) {
    const level = RiskLevel[riskLevel].toLowerCase();
    console.log(`${service} ${incidentProbability.toFixed(4)} ${level}`);
  }
  console.log(`system ${answer.system?.incidentProbability.toFixed(4)}`);
}

async function inject(channel: Channel, system: string, words: string[]): Promise<void> {
  const [target, kind = "", lasting = ""] = words;
  const found = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(lasting);
  if (words.length !== 3 || !found) {
    throw new Error("expected TARGET KIND DURATION, such as: database cpu_spike 30s");
  }
  const known = FaultKind[kind.toUpperCase() as keyof typeof FaultKind];
  if (known === undefined) throw new Error(`no kind of fault is named ${kind}`);
  const seconds = Number(found[1]) * { s: 1, m: 60, h: 3600 }[found[2] as "s" | "m" | "h"];
  const { fault } = await channel.unary(ChaosService.method.injectChaos, {
    system,
    target: target!,
    kind: known,
    duration: durationFromMs(1000 * seconds),
  });
  console.log(`${fault?.id} ${kind} on ${fault?.target}`);
}

process.exitCode = await run();
