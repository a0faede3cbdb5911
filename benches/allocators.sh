#!/usr/bin/env bash
# Which allocator the binary should have: CPU-seconds (user + system) per 10,000 requests and peak memory of a replica and of
# a balancer before it, with glibc's own allocator, mimalloc and jemalloc, in interleaved rounds.
#
#   benches/allocators.sh [ROUNDS] [SECONDS]        default 3 rounds of 5 seconds each
#
# The same release build runs each time; another allocator is put under it by LD_PRELOAD, as libraries of the system have it.
# Needs wrk, libmimalloc2.0 and libjemalloc2 (Debian's names); an allocator that is not installed is left out and named.
set -euo pipefail
cd "$(dirname "$0")/.."
ROUNDS=${1:-3} SECONDS_EACH=${2:-5} CONNECTIONS=${CONNECTIONS:-64}
work=$(mktemp -d)
pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done; pids=(); }
trap 'stop; rm -rf "$work"' EXIT
[ -n "${MARTELLO:-}" ] || cargo build --quiet --release --package martello-cli
bin=${MARTELLO:-target/release/martello}
"$bin" train --data-dir "$work/data" >/dev/null
cat >"$work/predict.lua" <<'LUA'
wrk.method, wrk.body = "POST", '{"feature1":5.3,"feature2":2.1,"feature3":0.8}'
wrk.headers["content-type"] = "application/json"
LUA

serve() { # what, then the command; its address goes into $address, its process into $pid
    rm -f "$work/$1"
    "${@:2}" >"$work/$1" 2>/dev/null &
    pid=$! pids+=($!)
    until address=$(grep -Eom1 '127\.0\.0\.1:[0-9]+' "$work/$1" 2>/dev/null | head -n 1) && [ -n "$address" ]; do sleep 0.05; done
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
peak() { awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

echo "allocator   replica: CPU-s per 10,000   peak MiB   balancer: CPU-s per 10,000   peak MiB   requests/s"
for _ in $(seq "$ROUNDS"); do
    for allocator in glibc mimalloc jemalloc; do
        library=
        if [ $allocator != glibc ]; then
            library=$(find /usr/lib -name "lib$allocator.so.*" | sort | head -n 1)
            [ -n "$library" ] || { echo "$allocator is not installed"; continue; }
        fi
        serve replica env LD_PRELOAD="$library" "$bin" serve --listen 127.0.0.1:0 --data-dir "$work/data"
        replica=$pid
        serve balancer env LD_PRELOAD="$library" "$bin" balance --listen 127.0.0.1:0 --upstream "$address"
        balancer=$pid
        from_replica=$(ticks "$replica") from_balancer=$(ticks "$balancer")
        wrk -t 1 -c "$CONNECTIONS" -d "$SECONDS_EACH" -s "$work/predict.lua" "http://$address/predict" >"$work/wrk"
        requests=$(awk '/requests in/ { print $1 }' "$work/wrk")
        # A machine with other work makes a replica refuse a few; more would measure refusals.
        refused=$(awk '/Non-2xx/ { print $NF }' "$work/wrk")
        [ "$((${refused:-0} * 1000))" -le "$requests" ] || { cat "$work/wrk"; exit 1; }
        awk -v a=$allocator -v n="$requests" -v s="$SECONDS_EACH" -v hz="$(getconf CLK_TCK)" \
            -v r=$(($(ticks "$replica") - from_replica)) -v b=$(($(ticks "$balancer") - from_balancer)) \
            -v rm="$(peak "$replica")" -v bm="$(peak "$balancer")" \
            'BEGIN { printf "%-10s %26.3f %10s %28.3f %10s %12.0f\n", a, r / hz / n * 1e4, rm, b / hz / n * 1e4, bm, n / s }'
        stop
    done
done
