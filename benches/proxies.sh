#!/usr/bin/env bash
# The balancer beside nginx and HAProxy: the same upstream, one core each, interleaved in one run.
#
#   benches/proxies.sh [ROUNDS] [SECONDS]      default 15 rounds of a second at each of 64, 256 and 1,024 connections
#   HEADS=own benches/proxies.sh               each request with an identifier of its own
#
# Many short rounds, since the ratio of two rounds varies by a tenth. With one kind of client, requests differ in nothing but their
# bodies, and the balancer reads no head twice; HEADS=own shows what it takes to read each of them.
#
# CPU-seconds (user + system) of the proxy's processes per 10,000 requests come from the kernel's own accounting and
# hold on a machine that does other things as well; throughput and latency do not. The upstream is an nginx that
# answers a constant, and is asked directly, too: the latency that a proxy adds is what it has more than that.
#
# Needs wrk and nginx, and HAProxy if it is to be compared (Debian: apt-get install wrk nginx-light haproxy); it
# installs nothing. BIN is the binary to measure (default: of the profile `dist`, as in the image), CONNECTIONS a list of other
# counts.
set -euo pipefail
cd "$(dirname "$0")/.."
ROUNDS=${1:-15} SECONDS_EACH=${2:-1} HEADS=${HEADS:-same} CONNECTIONS=${CONNECTIONS:-64 256 1024} PORT=${PORT:-18200}
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

for needed in wrk nginx; do command -v $needed >/dev/null || { echo "$needed is not installed"; exit 1; }; done
if [ -z "${BIN:-}" ]; then
    cargo build --quiet --profile dist --package martello-cli
    BIN=target/dist/martello
fi
# As many descriptors as there may be: a connection through a proxy takes two.
ulimit -n "$(ulimit -Hn)"
MOST=$(( ($(ulimit -n) - 400) / 2 )); [ "$MOST" -le 24000 ] || MOST=24000

# ===== servers, each on a port of its own =====

declare -A pids ports
start() { # name port command...
    local name=$1 port=$2; shift 2
    "$@" >"$work/$name.log" 2>&1 &
    started+=($!); pids[$name]=$!; ports[$name]=$port
    for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return; sleep 0.05; done
    echo "$name does not listen on port $port:"; cat "$work/$name.log"; exit 1
}

nginx_config() { # file port location-body
    cat >"$1" <<CONF
worker_processes 1; daemon off; pid $1.pid; error_log /dev/null;
events { worker_connections $((2 * MOST)); }
http {
    access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    keepalive_requests 100000000;
    upstream replicas { server 127.0.0.1:$PORT; keepalive 1024; keepalive_requests 100000000; }
    server { listen 127.0.0.1:$2 backlog=4096; location / { $3 } }
}
CONF
}

nginx_config "$work/constant.conf" "$PORT" 'return 200 "{\"prediction\":321.3070728214188}";'
# What the replaced system's nginx told replicas, as the balancer does; without its access log.
nginx_config "$work/proxy.conf" $((PORT + 1)) 'proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;'
start upstream "$PORT" nginx -c "$work/constant.conf" -p "$work"
start nginx $((PORT + 1)) nginx -c "$work/proxy.conf" -p "$work"
order=(upstream nginx)
if command -v haproxy >/dev/null; then
    cat >"$work/haproxy.cfg" <<CONF
global
    nbthread 1
    maxconn $((MOST > 10100 ? MOST : 10100))
    no strict-limits
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 10s
    option forwardfor
    http-reuse always
frontend all
    bind 127.0.0.1:$((PORT + 2)) backlog 4096
    default_backend replicas
backend replicas
    server one 127.0.0.1:$PORT pool-max-conn 1024 pool-purge-delay 60s
CONF
    start haproxy $((PORT + 2)) haproxy -f "$work/haproxy.cfg" -db
    order+=(haproxy)
else
    echo "left out: HAProxy (it is not installed)"
fi
# One thread for everything, as the others have: nothing that it does for a request is left out. Unused connections to the
# upstream are kept for nginx's 60 s by all three: a shorter time would end them in the rounds of the others.
start balancer $((PORT + 3)) "$BIN" balance --listen "127.0.0.1:$((PORT + 3))" --upstream "127.0.0.1:$PORT" --upstream-idle 60 \
    --workers 1
order+=(balancer)

# ===== measuring =====

ticks() { # CPU ticks of a process and its children
    local sum=0 pid
    for pid in "$1" $(pgrep -P "$1" || true); do
        sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
    done
    echo "$sum"
}

printf 'wrk.method = "POST"\nwrk.body = [[%s]]\nwrk.headers["content-type"] = "application/json"\n' \
    '{"feature1":5.3,"feature2":2.1,"feature3":0.8}' >"$work/post.lua"
[ "$HEADS" = same ] || cat >>"$work/post.lua" <<'LUA'
local number = 0
request = function()
    number = number + 1
    wrk.headers["x-request-id"] = string.format("7d444840-9dc0-11d1-b245-%012x", number)
    return wrk.format()
end
LUA
measure() { # connections name -> appends "connections name cpu-per-10k requests/s p50-ms p99-ms errors"
    local before after out
    before=$(ticks "${pids[$2]}")
    out=$(wrk -t1 -c"$1" -d"${SECONDS_EACH}s" --latency -s "$work/post.lua" "http://127.0.0.1:${ports[$2]}/predict")
    after=$(ticks "${pids[$2]}")
    awk -v connections="$1" -v name="$2" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
        function ms(time) { return time ~ /us$/ ? time / 1000 : time ~ /ms$/ ? time + 0 : time * 1000 }
        /requests in/ {requests = $1} /50%/ {p50 = ms($2)} /99%/ {p99 = ms($2)} /Requests\/sec/ {rate = $2}
        /Non-2xx/ {errors += $NF} /Socket errors/ {gsub(",", ""); errors += $4 + $6 + $8}
        END {printf "%s %s %.4f %.0f %.3f %.3f %d\n", connections, name, ticks / hz / requests * 10000, rate, p50, p99, errors}' \
        <<<"$out" >>"$work/results"
}

for connections in $CONNECTIONS; do
    for name in "${order[@]}"; do wrk -t1 -c"$connections" -d1s "http://127.0.0.1:${ports[$name]}/" >/dev/null; done
    for _ in $(seq "$ROUNDS"); do for name in "${order[@]}"; do measure "$connections" "$name"; done; done
done

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
column() { awk -v c="$1" -v n="$2" -v f="$3" '$1 == c && $2 == n {print $f}' "$work/results"; }
ratio() { # connections a b: median of the ratios of CPU round by round
    paste -d' ' <(column "$1" "$2" 3) <(column "$1" "$3" 3) | awk '{print $1 / $2}' | median
}
printf '%-12s %-10s %14s %9s %12s %14s %14s\n' connections "" "CPU-s per 10k" "× nginx" "requests/s" "added p50 ms" "added p99 ms"
for connections in $CONNECTIONS; do
    direct50=$(column "$connections" upstream 5 | median) direct99=$(column "$connections" upstream 6 | median)
    for name in "${order[@]:1}"; do
        printf '%-12s %-10s %14s %9.2f %12s %14.2f %14.2f\n' "$connections" "$name" "$(column "$connections" "$name" 3 | median)" \
            "$(ratio "$connections" "$name" nginx)" "$(column "$connections" "$name" 4 | median)" \
            "$(awk -v a="$(column "$connections" "$name" 5 | median)" -v b="$direct50" 'BEGIN {print a - b}')" \
            "$(awk -v a="$(column "$connections" "$name" 6 | median)" -v b="$direct99" 'BEGIN {print a - b}')"
    done
done
failed=$(awk '{sum += $7} END {print sum + 0}' "$work/results")
echo "answers that failed: $failed"

# ===== ten thousand idle connections =====

IDLE=${IDLE:-10000}
# An idle connection takes one descriptor.
if [ "$IDLE" -gt $(($(ulimit -n) - 200)) ]; then IDLE=$(($(ulimit -n) - 200)); fi
if [ "$IDLE" -gt 0 ]; then
    memory() { local sum=0 pid; for pid in "$1" $(pgrep -P "$1" || true); do sum=$((sum + $(awk '/VmRSS/ {print $2}' "/proc/$pid/status"))); done; echo "$sum"; }
    for name in "${order[@]:1}"; do
        before=$(memory "${pids[$name]}")
        python3 - "${ports[$name]}" "$IDLE" >"$work/idle" <<'PY' &
import resource, socket, sys, time
port, count = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
held = []
for _ in range(count):
    s = socket.create_connection(("127.0.0.1", port)); s.sendall(request); held.append(s); s.recv(4096)
print("held", flush=True)
time.sleep(3)
alive = 0
for s in held:
    try:
        s.sendall(request); alive += bool(s.recv(4096))
    except OSError:
        pass
print(alive, flush=True)
PY
        holder=$!
        until grep -q held "$work/idle" || ! kill -0 $holder 2>/dev/null; do sleep 0.1; done
        during=$(memory "${pids[$name]}")
        wait $holder || true
        printf '%-10s %s idle connections: %.1f MB, %.1f before; %s of them answered afterwards\n' "$name" "$IDLE" \
            "$(awk -v a="$during" 'BEGIN {print a / 1024}')" "$(awk -v a="$before" 'BEGIN {print a / 1024}')" "$(tail -1 "$work/idle")"
    done
fi
[ "$failed" -eq 0 ]
