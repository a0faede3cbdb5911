#!/usr/bin/env bash
# A replica, and the whole of ours, beside what it replaces, in one interleaved run: CPU-seconds (user + system, from the kernel's
# own accounting) of all processes that serve per 10,000 requests, throughput, p50 and p99, memory, time to the first healthy answer.
#
#   benches/peers/replica.sh [ROUNDS] [SECONDS]        default 3 rounds of 4 seconds each
#
# The server has processor 0, the load the others. Needs wrk (Debian: apt-get install wrk); nginx and the Python replicas are left
# out, and named, where they are not installed:
#
#   apt-get install nginx-light
#   python3 -m venv target/peers-venv && target/peers-venv/bin/pip install 'mlflow>=3' 'uvicorn[standard]' fastapi scikit-learn
set -euo pipefail
cd "$(dirname "$0")/../.."
ROUNDS=${1:-3} SECONDS_EACH=${2:-4} CONNECTIONS=${CONNECTIONS:-64} PORT=${PORT:-18200}
root=$PWD PYTHON=$(realpath -ms "${PEERS_VENV:-target/peers-venv}/bin/python")
BODY='{"feature1":5.3,"feature2":2.1,"feature3":0.8}'
bin=${BIN:-target/dist}
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

command -v wrk >/dev/null || { echo "wrk is not installed"; exit 1; }
[ -n "${BIN:-}" ] || cargo build --quiet --profile dist --package martello-cli --bin martello --package martello-serving --example hyper_floor
on_server="" on_load=""
if command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then
    on_server="taskset -c 0" on_load="taskset -c 1-$(($(nproc) - 1))"
fi

# ===== servers =====

declare -A ports pids # a name may have several processes
order=()

wait_for() { # port
    for _ in $(seq 1200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    echo "nobody listens on port $1" && tail -5 "$work"/*.log && exit 1
}

start() { # name port command...: one more process of a name; its last port is the one that is asked
    local name=$1 port=$2
    shift 2
    $on_server "$@" >"$work/$name.$port.log" 2>&1 &
    started+=($!) pids[$name]="${pids[$name]:-} $!" ports[$name]=$port
    wait_for "$port"
}

nginx_before() { # listen upstream...
    local port=$1 file=$work/nginx.$1.conf
    shift
    cat >"$file" <<CONF
worker_processes 1; daemon off; pid $file.pid; error_log /dev/null;
events { worker_connections 4096; }
http {
    access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    upstream replicas { least_conn; $(printf 'server 127.0.0.1:%s; ' "$@") keepalive 32; }
    server { listen 127.0.0.1:$port; location / {
        proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header Host \$host; proxy_set_header X-Real-IP \$remote_addr;
        proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto \$scheme;
    } }
}
CONF
    echo "$file"
}

serve() { echo "env -u MLFLOW_TRACKING_URI $bin/martello serve --listen 127.0.0.1:$1 --data-dir $work/data"; }
uvicorn() { echo "$PYTHON -m uvicorn --app-dir benches/peers fastapi_app:app --port $1 --log-level warning"; }

"$bin/martello" train --data-dir "$work/data" >/dev/null
start floor $PORT "$bin/examples/hyper_floor" 127.0.0.1:$PORT
start replica $((PORT + 1)) $(serve $((PORT + 1)))
order+=(floor replica)
start ours $((PORT + 2)) $(serve $((PORT + 2)))
start ours $((PORT + 3)) $(serve $((PORT + 3)))
start ours $((PORT + 4)) "$bin/martello" balance --listen 127.0.0.1:$((PORT + 4)) \
    --upstream 127.0.0.1:$((PORT + 2)) --upstream 127.0.0.1:$((PORT + 3))
start up $((PORT + 5)) "$bin/martello" up --listen 127.0.0.1:$((PORT + 5)) --data-dir "$work/data"
order+=(ours up)
if [ -x "$PYTHON" ]; then
    export MLFLOW_TRACKING_URI=sqlite:///$work/mlflow.db PICKLE=$work/model.pickle
    (cd "$work" && "$PYTHON" "$root/benches/peers/train.py" "$PICKLE") >"$work/train.log" 2>&1 \
        || { tail -5 "$work/train.log"; exit 1; }
    MODEL=bare start fastapi $((PORT + 10)) $(uvicorn $((PORT + 10)))
    MODEL=mlflow start fastapi-mlflow $((PORT + 11)) $(uvicorn $((PORT + 11)))
    order+=(fastapi fastapi-mlflow)
    if command -v nginx >/dev/null; then
        MODEL=mlflow start old $((PORT + 12)) $(uvicorn $((PORT + 12)))
        MODEL=mlflow start old $((PORT + 13)) $(uvicorn $((PORT + 13)))
        start old $((PORT + 14)) nginx -c "$(nginx_before $((PORT + 14)) $((PORT + 12)) $((PORT + 13)))" -p "$work"
        order+=(old)
    else
        echo "left out: the old stack (nginx is not installed)"
    fi
else
    echo "left out: FastAPI and the old stack (no $PYTHON; the head of this file says how to get it)"
fi

# ===== measuring =====

with_children() { for pid in $1; do echo "$pid" $(pgrep -P "$pid" || true); done; }
ticks() { # CPU ticks of processes and their children
    local sum=0 pid
    for pid in $(with_children "$1"); do sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat"))); done
    echo "$sum"
}
megabytes() { # most that the processes and their children ever had in memory
    for pid in $(with_children "$1"); do awk '/VmHWM/ {print $2}' "/proc/$pid/status"; done | awk '{sum += $1} END {printf "%.1f", sum / 1024}'
}

printf 'wrk.method = "POST"\nwrk.body = [[%s]]\nwrk.headers["content-type"] = "application/json"\n' "$BODY" >"$work/post.lua"
load() { $on_load wrk -t1 -c"$CONNECTIONS" -d"$1" --latency -s "$work/post.lua" "http://127.0.0.1:${ports[$2]}/predict"; }
measure() { # name -> appends "name cpu-per-10k requests/s p50 p99 errors"
    local name=$1 before after out
    before=$(ticks "${pids[$name]}")
    out=$(load "${SECONDS_EACH}s" "$name")
    after=$(ticks "${pids[$name]}")
    awk -v name="$name" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" \
        '/requests in/ {requests = $1} /50%/ {p50 = $2} /99%/ {p99 = $2} /Requests\/sec/ {rate = $2} /Non-2xx/ {errors = $NF}
         END {printf "%s %.4f %.0f %s %s %d\n", name, ticks / hz / requests * 10000, rate, p50, p99, errors}' \
        <<<"$out" >>"$work/results"
}

for name in "${order[@]}"; do load 1s "$name" >/dev/null; done # warm
for _ in $(seq "$ROUNDS"); do for name in "${order[@]}"; do measure "$name"; done; done

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
printf '%-16s %14s %12s %10s %10s %9s\n' "" "CPU-s per 10k" "requests/s" "p50" "p99" "peak MB"
for name in "${order[@]}"; do
    rows=$(grep "^$name " "$work/results")
    printf '%-16s %14s %12s %10s %10s %9s\n' "$name" \
        "$(cut -d' ' -f2 <<<"$rows" | median)" "$(cut -d' ' -f3 <<<"$rows" | median)" \
        "$(tail -1 <<<"$rows" | cut -d' ' -f4)" "$(tail -1 <<<"$rows" | cut -d' ' -f5)" "$(megabytes "${pids[$name]}")"
done
ratio() { # a b: median of the ratios round by round
    [ -n "${pids[$1]:-}" ] && [ -n "${pids[$2]:-}" ] || return 0
    printf '%-28s %s\n' "$1 / $2:" "$(paste -d' ' <(grep "^$1 " "$work/results" | cut -d' ' -f2) \
        <(grep "^$2 " "$work/results" | cut -d' ' -f2) | awk '{print $1 / $2}' | median)"
}
echo "CPU per request:"
ratio replica floor
ratio up floor
ratio fastapi-mlflow replica
ratio fastapi replica
ratio old ours

# ===== from exec to the first healthy answer =====

echo "exec to the first healthy answer, with the model in its cache:"
ready() { # name port command...
    local name=$1
    shift
    printf '%-28s %s ms\n' "$name" "$(for _ in 1 2 3; do $on_server python3 benches/peers/ready.py "$@"; done | median)"
}
ready replica $((PORT + 20)) $(serve $((PORT + 20)))
if [ -x "$PYTHON" ]; then
    MODEL=bare ready fastapi $((PORT + 21)) $(uvicorn $((PORT + 21)))
    MODEL=mlflow ready fastapi-mlflow $((PORT + 22)) $(uvicorn $((PORT + 22)))
fi

failed=$(awk '{sum += $6} END {print sum + 0}' "$work/results")
echo "answers that were not 2xx: $failed"
[ "$failed" -eq 0 ]
