/** What is observed of each service, and how old it is if that is more than an interval. */

import { SimulationService } from "../generated/sre_edge/v1/simulation_service_pb.js";
import { Status } from "../generated/sre_edge/v1/snapshot_pb.js";
import type { Channel } from "./channel.js";

export async function metrics(channel: Channel, system: string, services: string[]): Promise<void> {
  const request = { system, services };
  const { snapshot } = await channel.unary(SimulationService.method.getMetrics, request);
  for (const one of snapshot?.services ?? []) {
    const interval = snapshot?.intervalSeconds ?? 0;
    console.log(
      `${one.service} ${(Status[one.status] ?? "unknown").toLowerCase()}` +
        ` cpu_percent ${observed(one.cpuPercent)}` +
        ` latency_p95_ms ${observed(one.latencyP95Ms)}` +
        ` error_rate_percent ${observed(one.errorRatePercent)}` +
        ` availability_percent ${observed(one.availabilityPercent)}` +
        old("requests_age_seconds", one.requestsAgeSeconds, interval) +
        old("resources_age_seconds", one.resourcesAgeSeconds, interval),
    );
  }
}

/** Writes a value; "-" if it is not observed: NaN, and undefined from an older server. */
function observed(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "-" : value.toFixed(1);
}

/** Writes an age that is more than an interval; NaN, "never observed", is none. */
function old(field: string, age: number, interval: number): string {
  return age > interval ? ` ${field} ${age.toFixed(0)}` : "";
}
