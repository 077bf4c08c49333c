/**
 * When what a stream delivered is no longer true. This does not go by the transport, which takes a
 * minute to notice that a server or something on the way is frozen.
 */

import { durationMs } from "@bufbuild/protobuf/wkt";

import type { Clock } from "../generated/sre_edge/v1/clock_pb.js";
import type { Heartbeat } from "../generated/sre_edge/v1/heartbeat_pb.js";
import type { StreamMetricsResponse } from "../generated/sre_edge/v1/simulation_service_pb.js";
import { SystemState } from "../generated/sre_edge/v1/system_pb.js";

const OLD_INTERVALS = 3;
const MIN_OLD_MS = 5_000;
/** A server leaves a stream without a message for 2 s, 3 s at most: then comes a heartbeat. */
const SILENT_MS = 6_000;
/** After so much silence, a stream is opened anew. */
export const RENEW_MS = 15_000;

interface Stale {
  reason: string;
  /** The server's reason; "" if it gives none. */
  problem: string;
  ageMs: number;
}

/** Judges what a stream has delivered. */
export class Freshness {
  #opened = performance.now();
  #heard = performance.now();
  #data = 0;
  #dueMs = 0;
  #clock: Clock | undefined;
  /** Since the latest snapshot. */
  #heartbeat: Heartbeat | undefined;
  #said = "";

  constructor(readonly target: string) {}

  open(): void {
    this.#opened = performance.now();
  }

  /** Takes a message; returns whether what was said to be stale no longer is. */
  hear({ message }: StreamMetricsResponse): boolean {
    this.#heard = performance.now();
    if (message.case === "snapshot") {
      this.#data = this.#heard;
      this.#dueMs = 1000 * OLD_INTERVALS * message.value.intervalSeconds;
      this.#clock = message.value.clock;
      this.#heartbeat = undefined;
    } else if (message.case === "clock") {
      this.#data = this.#heard; // more is due from now on
      this.#clock = message.value;
    } else if (message.case === "heartbeat") {
      this.#heartbeat = message.value;
    }
    if (!this.#said || this.#stale()) return false;
    this.#said = "";
    return true;
  }

  /** How long the open stream has been silent. */
  get silentMs(): number {
    return performance.now() - Math.max(this.#heard, this.#opened);
  }

  /** Says once what has become stale; "" if nothing has. */
  overdue(): string {
    const stale = this.#stale();
    if (!stale || this.#said === stale.reason + stale.problem) return "";
    this.#said = stale.reason + stale.problem;
    const text = `stale: ${stale.reason} for ${Math.round(stale.ageMs / 1000)} s`;
    return stale.problem ? `${text}: ${stale.problem}` : text;
  }

  #stale(): Stale | undefined {
    const now = performance.now();
    if (this.silentMs > SILENT_MS) {
      const reason = `no sign of life from ${this.target}`;
      return { reason, problem: "", ageMs: now - this.#heard };
    }
    const told = this.#heartbeat;
    if (!told || this.#heard < this.#opened) return undefined; // is anybody there?
    const old = { reason: "no new data", problem: told.problem };
    if (told.state === SystemState.STALE) {
      return { ...old, ageMs: told.frameAge ? durationMs(told.frameAge) : 0 };
    }
    const { paused, speed } = this.#clock ?? { paused: true, speed: 0 };
    if (told.state !== SystemState.LIVE || paused || speed <= 0) return undefined; // no more is due
    const ageMs = now - this.#data;
    return ageMs > Math.max(this.#dueMs / speed, MIN_OLD_MS) ? { ...old, ageMs } : undefined;
  }
}
