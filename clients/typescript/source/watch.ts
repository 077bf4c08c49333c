/** A stream of snapshots that survives lost connections and restarted servers. */

import { setTimeout as sleep } from "node:timers/promises";

import { SimulationService } from "../generated/sre_edge/v1/simulation_service_pb.js";
import type { StreamMetricsResponse } from "../generated/sre_edge/v1/simulation_service_pb.js";
import type { Cursor } from "../generated/sre_edge/v1/snapshot_pb.js";
import type { Channel } from "./channel.js";
import { isServiceError, read, type Failure } from "./failure.js";
import { Freshness, RENEW_MS } from "./freshness.js";

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 2_000;
const CHECK_MS = 1_000;
const FINAL = new Set([
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "UNAUTHENTICATED",
  "UNIMPLEMENTED",
  "FAILED_PRECONDITION",
]);

/**
 * Yields messages until the signal; a stream that is lost is opened again after the last snapshot,
 * and what the server cannot make up for comes as a `gap`. What is no longer true is said on standard
 * error; a stream that stays silent is opened anew, over another connection. Leaving the loop cancels
 * the stream.
 */
export async function* watch(
  channel: Channel,
  system: string,
  services: string[],
  signal: AbortSignal,
): AsyncGenerator<StreamMetricsResponse> {
  const freshness = new Freshness(channel.connection.target);
  let cursor: Cursor | undefined;
  let connected = false;
  let backoff = FIRST_BACKOFF_MS;
  while (!signal.aborted) {
    freshness.open();
    const stream = channel.stream(SimulationService.method.streamMetrics, {
      system,
      services,
      ...(cursor && { resumeAfter: cursor }),
    });
    let silent = false;
    const cancel = () => stream.cancel();
    signal.addEventListener("abort", cancel);
    const checking = setInterval(() => {
      const text = freshness.overdue();
      if (text) console.error(text);
      silent = freshness.silentMs > RENEW_MS;
      if (silent) cancel();
    }, CHECK_MS);
    try {
      for await (const message of stream as AsyncIterable<StreamMetricsResponse>) {
        connected = true;
        backoff = FIRST_BACKOFF_MS;
        if (freshness.hear(message)) console.error("up to date again");
        if (message.message.case === "snapshot") cursor = message.message.value.cursor;
        yield message;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isServiceError(error)) throw error;
      const failure = read(error);
      if (silent) {
        channel.renew();
      } else if (failure.code === "INVALID_ARGUMENT" && cursor) {
        cursor = undefined; // of a server that has begun anew
      } else if (!connected || isFinal(failure)) {
        throw error;
      }
      if (!silent) console.error(`the stream was lost (${failure.message}); trying again`);
    } finally {
      clearInterval(checking);
      signal.removeEventListener("abort", cancel);
      stream.on("error", () => {}); // that it was cancelled is no news
      stream.cancel();
    }
    await sleep(backoff, undefined, { signal }).catch(() => {});
    backoff = Math.min(2 * backoff, MAX_BACKOFF_MS);
  }
}

/** Whether the server would say the same again; a slow reader may go on. */
function isFinal({ code, reason }: Failure): boolean {
  return FINAL.has(code) || (code === "RESOURCE_EXHAUSTED" && reason !== "SLOW_SUBSCRIBER");
}
