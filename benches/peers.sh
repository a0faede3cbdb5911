#!/usr/bin/env bash
# What a prediction costs beside others, in one interleaved run: CPU-seconds (user + system) of the server's processes per
# 10,000 requests, from the kernel's own accounting. Throughput moves with the machine; these figures hardly do.
#
#   benches/peers.sh [ROUNDS] [SECONDS]        default 3 rounds of 5 seconds each
#
# Needs wrk and nginx (Debian: apt-get install wrk nginx-light); a peer that is not installed is left out and named.
set -euo pipefail
cd "$(dirname "$0")/.."
ROUNDS=${1:-3} SECONDS_EACH=${2:-5} CONNECTIONS=${CONNECTIONS:-64}
BODY='{"feature1":5.3,"feature2":2.1,"feature3":0.8}'
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

command -v wrk >/dev/null || { echo "wrk is not installed"; exit 1; }
cargo build --quiet --profile dist --package martello-cli --bin martello --package martello-serving --example hyper_floor
bin=target/dist

# ===== servers, each on a port of its own =====

wait_for() { # port
    for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done
    echo "nobody listens on port $1"; exit 1
}

start() { # name port command...
    local name=$1 port=$2; shift 2
    "$@" >"$work/$name.log" 2>&1 &
    started+=($!); pids[$name]=$!; ports[$name]=$port
    wait_for "$port"
}

nginx_config() { # file port location-body
    cat >"$1" <<CONF
worker_processes 1; daemon off; pid $1.pid; error_log /dev/null;
events { worker_connections 4096; }
http {
    access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    keepalive_requests 1000000;
    upstream replicas { server 127.0.0.1:18100; keepalive 512; keepalive_requests 1000000; }
    server { listen 127.0.0.1:$2; location / { $3 } }
}
CONF
}

declare -A pids ports
"$bin/martello" train --data-dir "$work/data" >/dev/null
start floor 18101 "$bin/examples/hyper_floor" 127.0.0.1:18101
start replica 18102 "$bin/martello" serve --listen 127.0.0.1:18102 --data-dir "$work/data"
order=(floor replica)
if command -v nginx >/dev/null; then
    nginx_config "$work/constant.conf" 18100 'return 200 "{\"prediction\":321.3070728214188}";'
    nginx_config "$work/proxy.conf" 18103 'proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";'
    start constant 18100 nginx -c "$work/constant.conf" -p "$work"
    start nginx 18103 nginx -c "$work/proxy.conf" -p "$work"
    start balancer 18104 "$bin/martello" balance --listen 127.0.0.1:18104 --upstream 127.0.0.1:18100
    order+=(nginx balancer)
else
    echo "left out: nginx and the balancer beside it (nginx is not installed)"
fi

# ===== measuring =====

ticks() { # CPU ticks of a process and its children
    local sum=0 pid
    for pid in "$1" $(pgrep -P "$1" || true); do
        sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
    done
    echo "$sum"
}

memory() { awk '/VmHWM/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }

printf 'wrk.method = "POST"\nwrk.body = [[%s]]\nwrk.headers["content-type"] = "application/json"\n' "$BODY" >"$work/post.lua"
measure() { # name -> appends "name cpu-per-10k requests/s p50 p99 errors"
    local name=$1 before after out requests
    before=$(ticks "${pids[$name]}")
    out=$(wrk -t1 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" --latency -s "$work/post.lua" "http://127.0.0.1:${ports[$name]}/predict")
    after=$(ticks "${pids[$name]}")
    requests=$(awk '/requests in/ {print $1}' <<<"$out")
    awk -v name="$name" -v ticks=$((after - before)) -v requests="$requests" -v hz="$(getconf CLK_TCK)" \
        '/50%/ {p50 = $2} /99%/ {p99 = $2} /Requests\/sec/ {rate = $2} /Non-2xx/ {errors = $NF}
         END {printf "%s %.4f %.0f %s %s %d\n", name, ticks / hz / requests * 10000, rate, p50, p99, errors}' \
        <<<"$out" >>"$work/results"
}

for _ in $(seq "$ROUNDS"); do for name in "${order[@]}"; do measure "$name"; done; done

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
printf '%-10s %16s %12s %10s %10s %8s\n' "" "CPU-s per 10k" "requests/s" "p50" "p99" "peak MB"
for name in "${order[@]}"; do
    rows=$(grep "^$name " "$work/results")
    printf '%-10s %16s %12s %10s %10s %8s\n' "$name" \
        "$(cut -d' ' -f2 <<<"$rows" | median)" "$(cut -d' ' -f3 <<<"$rows" | median)" \
        "$(tail -1 <<<"$rows" | cut -d' ' -f4)" "$(tail -1 <<<"$rows" | cut -d' ' -f5)" "$(memory "${pids[$name]}")"
done
failed=$(awk '{sum += $6} END {print sum + 0}' "$work/results")
echo "answers that were not 2xx: $failed"
ratio() { # a b: median of the ratios round by round
    paste -d' ' <(grep "^$1 " "$work/results" | cut -d' ' -f2) <(grep "^$2 " "$work/results" | cut -d' ' -f2) \
        | awk '{print $1 / $2}' | median
}
echo "replica / floor:  $(ratio replica floor)  (CPU per request)"
[ -n "${pids[nginx]:-}" ] && echo "balancer / nginx: $(ratio balancer nginx)  (CPU per request)"
[ "$failed" -eq 0 ]
