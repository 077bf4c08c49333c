#!/usr/bin/env bash
# Watches the risk, one line a snapshot, and ends with exit code 1 as soon as it reaches the threshold
# at which the live model raises an alarm, or the one given.
#   watch-risk.sh [THRESHOLD] [SERVICE]...        such as: watch-risk.sh 0.5 database
# Needs grpcurl and jq. Exit codes: 1 an alarm, 2 a call failed or the stream was lost.
set -euo pipefail
. "$(dirname "$0")/call.sh"
threshold=${1:-$(call PredictionService/GetModel '{}' | jq .model.alarm_threshold)} || exit 2
request=$(jq -nc '{services: $ARGS.positional, without_edges: true}' --args "${@:2}")

risks() {
  call SimulationService/StreamMetrics "$request" | jq --unbuffered -r --argjson threshold "$threshold" '
    .snapshot | select(.) | .time as $time
    | [.services[] | {service, risk: (.prediction.incident_probability // 0)}] | max_by(.risk)
    | "\($time) \(.service) \(.risk)" + if .risk >= $threshold then " ALARM" else "" end'
}

trap 'pkill -P "$!" || true' EXIT # the stream ends with this script
while read -r line; do
  echo "$line"
  [ "${line##* }" != ALARM ] || exit 1
done < <(risks)
exit 2
