#!/usr/bin/env bash
# The promise of the whole system on one machine: trainer, two replicas, balancer and generator, each a process of its own,
# hold 10,000 users for two minutes with no failed request and a p99 below 100 ms.
#
#   benches/ten_thousand_users.sh [USERS] [SECONDS] [further arguments of `martello load`...]
#
# USERS (10,000) start at 500 a second (SPAWN_RATE); SECONDS (120) are those in which all of them are at work. MARTELLO names
# the binary; without it the release binary is built. Two cores and 20,000 file descriptors are enough. The last lines say
# what the generator, and what the balancer and replicas together, took. Exit code: that of `martello load`.
set -euo pipefail
cd "$(dirname "$0")/.."
USERS=${1:-10000} HELD=${2:-120} SPAWN_RATE=${SPAWN_RATE:-500} PORT=${PORT:-18200}
shift $(($# < 2 ? $# : 2))
if [ -z "${MARTELLO:-}" ]; then
    cargo build --quiet --release --package martello-cli
    MARTELLO=target/release/martello
fi
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$work"' EXIT

start() { # port command...
    local port=$1; shift
    "$@" >"$work/$port.log" 2>&1 &
    started+=($!)
    for _ in $(seq 300); do "$MARTELLO" healthcheck --address "127.0.0.1:$port" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "nothing healthy on port $port:" >&2; cat "$work/$port.log" >&2; exit 1
}

"$MARTELLO" train --data-dir "$work/data" >"$work/train.log" 2>&1 || { cat "$work/train.log" >&2; exit 1; }
for replica in 1 2; do
    start $((PORT + replica)) "$MARTELLO" serve --listen "127.0.0.1:$((PORT + replica))" --data-dir "$work/data"
done
start "$PORT" "$MARTELLO" balance --listen "127.0.0.1:$PORT" --route-headers \
    --upstream "127.0.0.1:$((PORT + 1))" --upstream "127.0.0.1:$((PORT + 2))"

code=0
"$MARTELLO" load --host "http://127.0.0.1:$PORT" --users "$USERS" --spawn-rate "$SPAWN_RATE" \
    --run-time "$((USERS / SPAWN_RATE + HELD))s" --fail-if 'p99>100ms;errors>0' \
    --watch "$(IFS=,; echo "${started[*]}")" "$@" | tee "$work/report" || code=${PIPESTATUS[0]}

# "process  4711: 12.34 CPU seconds (0.10 cores), peak memory 40.1 MB"
awk '/^process / { cores += substr($6, 2); memory += $10 }
     END { printf "balancer and replicas together: %.2f cores, %.0f MB\n", cores, memory }' "$work/report"
exit "$code"
