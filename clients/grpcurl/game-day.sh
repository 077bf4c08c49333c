#!/usr/bin/env bash
# A game day: breaks each service in turn, waits until all is well again, and says what it led to.
#   game-day.sh [KIND] [DURATION]        such as: game-day.sh SERVICE_KILL 60s
# Needs grpcurl and jq. Exit codes: 0 all that broke was foretold, 1 something was not, 2 a call failed.
set -euo pipefail
. "$(dirname "$0")/call.sh"
kind=${1:-SERVICE_KILL} duration=${2:-60s} surprises=0
trap 'call ChaosService/StopChaos "{\"all\":true}" >/dev/null; exit 130' INT TERM

services=$(call SimulationService/GetTopology '{}' | jq -r '.topology.services[].name') || exit 2
for service in $services; do
  request=$(jq -nc '{target: $ARGS.positional[0], kind: $ARGS.positional[1], duration: $ARGS.positional[2]}' \
    --args "$service" "FAULT_KIND_$kind" "$duration")
  experiment=$(call ChaosService/InjectChaos "$request" | jq .fault.experiment_id) || exit 2
  while sleep 1; do
    told=$(call ChaosService/GetExperiment "{\"experiment_id\":$experiment}") || exit 2
    [ "$(jq -r .experiment.state <<<"$told")" != EXPERIMENT_STATE_FINISHED ] || break
  done
  jq -r '.experiment | [.outcome.broke[]?.service] as $broke | [.outcome.broke[]?.also_under[]?] as $also
    | "\(.name): broke \($broke | unique | join(", ") | if . == "" then "nothing" else . end)"
    + if $also == [] then "" else " (also under \($also | unique | join(", ")))" end
    + if .outcome.foretold then ", foretold \(.outcome.lead) ahead" else "" end' <<<"$told"
  jq -e '.experiment.outcome | (.broken // 0) == 0 or .foretold' <<<"$told" >/dev/null || surprises=1
done
exit "$surprises"
