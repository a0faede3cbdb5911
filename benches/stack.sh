#!/usr/bin/env bash
# Starts a whole stack, each process in a control group of its own below one, so that `martello capacity` can limit it:
#
#   benches/stack.sh ours start     balancer and replicas of the release binary
#   benches/stack.sh old start      nginx and FastAPI on uvicorn with a model through MLflow, as the replaced system had them
#   benches/stack.sh ours|old stop
#
# MARTELLO_REPLICAS (2) says how many replicas, MARTELLO_CPUS how many cores each of them may use (no limit). What runs
# already is stopped first, so it also serves as --restart and --scale of `martello capacity`. The stack answers on PORT
# (18300). GROUP (martello-bench) names the control groups, STATE (target/stack) the folder of models, logs and process ids.
# Needs root for the groups, and for `old` nginx and Python with venv; packages come from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
STACK=$1 ACTION=$2
REPLICAS=${MARTELLO_REPLICAS:-2} CPUS=${MARTELLO_CPUS:-} PORT=${PORT:-18300} GROUP=${GROUP:-martello-bench}
STATE=${STATE:-$PWD/target/stack}/$STACK MARTELLO=${MARTELLO:-$PWD/target/release/martello}
mkdir -p "$STATE"

# ===== control groups of version 1 or 2 =====

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    roots=(/sys/fs/cgroup)
else
    roots=(/sys/fs/cgroup/cpu /sys/fs/cgroup/memory)
fi

make_group() { # name below GROUP
    local root
    for root in "${roots[@]}"; do
        mkdir -p "$root/$GROUP/$1"
        [ ! -e "$root/cgroup.controllers" ] || echo '+cpu +memory' | tee "$root/$GROUP/cgroup.subtree_control" >/dev/null
    done
    local quota=-1
    [ -z "$CPUS" ] || [ "$1" = front ] || quota=$(awk -v cpus="$CPUS" 'BEGIN { printf "%d", (cpus < 0.01 ? 0.01 : cpus) * 100000 }')
    if [ -e "${roots[0]}/$GROUP/$1/cpu.max" ]; then
        echo "${quota/#-1/max} 100000" >"${roots[0]}/$GROUP/$1/cpu.max"
    else
        echo "$quota" >"${roots[0]}/$GROUP/$1/cpu.cfs_quota_us"
    fi
}

start() { # group command...
    local group=$1; shift
    make_group "$group"
    (
        for root in "${roots[@]}"; do echo "$BASHPID" >"$root/$GROUP/$group/cgroup.procs"; done
        exec nohup "$@" >"$STATE/$group.log" 2>&1 </dev/null
    ) &
    echo $! >>"$STATE/pids"
}

stop() {
    [ -e "$STATE/pids" ] || return 0
    local pid
    while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$STATE/pids"
    while read -r pid; do
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
        kill -9 "$pid" 2>/dev/null || true
    done <"$STATE/pids"
    rm "$STATE/pids"
}

# ===== the stacks =====

ours() {
    local replica upstreams=()
    [ -d "$STATE/data" ] || "$MARTELLO" train --data-dir "$STATE/data" >/dev/null
    for replica in $(seq "$REPLICAS"); do
        start "r$replica" "$MARTELLO" serve --listen "127.0.0.1:$((PORT + replica))" --data-dir "$STATE/data"
        upstreams+=(--upstream "127.0.0.1:$((PORT + replica))")
    done
    start front "$MARTELLO" balance --listen "127.0.0.1:$PORT" "${upstreams[@]}"
}

old() {
    local replica servers="" venv=${OLD_VENV:-$STATE/venv}
    [ -x "$venv/bin/uvicorn" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q fastapi 'uvicorn[standard]' mlflow scikit-learn; }
    [ -d "$STATE/model" ] || "$venv/bin/python" benches/old_stack/train.py "$STATE/model" >/dev/null 2>&1
    for replica in $(seq "$REPLICAS"); do
        start "r$replica" env MODEL="$STATE/model" "$venv/bin/uvicorn" --app-dir benches/old_stack app:app --host 127.0.0.1 --port $((PORT + replica))
        servers+=" server 127.0.0.1:$((PORT + replica));"
    done
    cat >"$STATE/nginx.conf" <<CONF
worker_processes 1; daemon off; pid $STATE/nginx.pid; error_log $STATE/error.log;
events { worker_connections 4096; }
http {
    access_log $STATE/access.log; client_max_body_size 10m;
    client_body_temp_path $STATE/body; proxy_temp_path $STATE/proxy; fastcgi_temp_path $STATE/f; uwsgi_temp_path $STATE/u; scgi_temp_path $STATE/s;
    upstream fastapi { least_conn;$servers keepalive 32; }
    server {
        listen 127.0.0.1:$PORT;
        location / {
            proxy_pass http://fastapi; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host \$host; proxy_set_header X-Real-IP \$remote_addr;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto \$scheme;
            proxy_connect_timeout 10s; proxy_send_timeout 30s; proxy_read_timeout 30s;
        }
    }
}
CONF
    start front nginx -c "$STATE/nginx.conf" -p "$STATE"
}

stop
[ "$ACTION" = stop ] || "$STACK"
