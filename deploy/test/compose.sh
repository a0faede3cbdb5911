#!/usr/bin/env bash
# Does with a compose file what docs/operations.md promises, on a real engine, from nothing to nothing:
#   deploy/test/compose.sh [--full] [--no-build]
# compose.embedded.yaml, or with --full compose.yaml with stand-ins for the images that not every machine can pull.
# COMPOSE names the program (docker-compose, or "docker compose"). Ends at the first promise that is not kept.
# It takes 2 minutes with the images at hand, 5 with --full. Load stays inside the project's own network.
set -euo pipefail
cd "$(dirname "$0")/../.."

compose=${COMPOSE:-docker-compose}
files=(-f compose.embedded.yaml)
full= build=yes
for argument; do
    case $argument in
        --full) full=yes files=(-f compose.yaml -f deploy/test/compose.stand-ins.yaml) ;;
        --no-build) build= ;;
        *) echo "usage: $0 [--full] [--no-build]" >&2; exit 2 ;;
    esac
done
project=martello-test-$$
export MARTELLO_IMAGE=${MARTELLO_IMAGE:-martello:latest}
# A free port on loopback; and answers that say which replica gave them.
export MARTELLO_PUBLISH=127.0.0.1: MLFLOW_PUBLISH=127.0.0.1: MARTELLO_ROUTE_HEADERS=true
# Two cores must be enough for the test and what it tests.
export MARTELLO_REPLICA_CPUS=0.5
users=${TEST_USERS:-200}
logs=$(mktemp -d)
loads=()

deploy/make-env.sh >"$logs/env"

dc() { $compose -p "$project" --env-file "$logs/env" "${files[@]}" "$@"; }
say() { printf '%6.1f s  %s\n' "$(since "$started")" "$*"; }
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{ print $1 - $2 }'; }
fail() {
    say "FAILED: $*" >&2
    dc logs --no-color --tail 30 >&2 || true
    exit 1
}
started=$(now)

clean_up() {
    local code=$?
    trap - EXIT
    for load in "${loads[@]}"; do docker kill "$load" >/dev/null 2>&1 || true; done
    docker rm -f "$project-squatter" >/dev/null 2>&1 || true
    dc --profile load-test down -v --remove-orphans >"$logs/down" 2>&1 || true
    rm -rf "$logs"
    exit "$code"
}
trap clean_up EXIT

# Waits for a command to succeed: patience in seconds, then what it is, then the command.
await() {
    local patience=$1 what=$2 from
    shift 2
    from=$(now)
    until "$@" >/dev/null 2>&1; do
        [ "$(since "$from" | cut -d. -f1)" -lt "$patience" ] || fail "$what: not within $patience s"
        sleep 0.1
    done
}

url() { echo "http://$(dc port balancer 8000)"; }
replicas() { docker ps -q --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=replica --filter label=com.docker.compose.oneoff=False; }
address() { docker inspect -f "{{with index .NetworkSettings.Networks \"${project}_inside\"}}{{.IPAddress}}{{end}}" "$1"; }
metric() { curl -fsS "$base/metrics" | awk -v name="martello_balancer_$1" 'index($1, name) == 1 { print $1, $2 }'; }
endpoints() { metric 'endpoint_requests_total{' | wc -l; }
endpoints_are() { [ "$(endpoints)" -eq "$1" ]; }
requests_at() { metric "endpoint_requests_total{endpoint=\"$1:8000\"}" | awk '{ print $2 } END { if (!NR) print 0 }'; }
has_traffic() { [ "$(requests_at "$1")" -gt "${2:-0}" ]; }
healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }

# Starts load in the background: a name, then seconds. `load_held` waits for it and wants not one failed request.
load() {
    local name=$project-load-$1
    loads+=("$name")
    dc run --rm --no-deps -T --name "$name" load-test \
        --users "$users" --spawn-rate 100 --wait 0.1,0.3 --run-time "$2" >"$logs/$1" 2>"$logs/$1.ticks" &
    load_pid=$!
    await 20 "load $1 reaches the balancer" grep -q . "$logs/$1.ticks"
}
load_held() {
    local code=0
    wait "$load_pid" || code=$?
    # 3: the generator was late, on a busy machine. Latencies then mean nothing; that no request failed still does.
    if ! [[ $code =~ ^[03]$ ]] || ! grep -q ', 0 failed (' "$logs/$1"; then
        cat "$logs/$1" >&2
        fail "load $1: a request failed, or the load itself did ($code)"
    fi
    say "load $1 held: $(grep -m1 '^requests' "$logs/$1")"
}

[ -z "$build" ] || docker build -q -t "$MARTELLO_IMAGE" . >/dev/null
say "image $MARTELLO_IMAGE: $(docker image inspect -f '{{.Size}}' "$MARTELLO_IMAGE" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
[ "$(docker image inspect -f '{{.Size}}' "$MARTELLO_IMAGE")" -le 25000000 ] || fail "the image is larger than 25 MB"

# --- start -----------------------------------------------------------------------------------------------------------
dc up -d --scale replica=3 >"$logs/up" 2>&1 || { cat "$logs/up" >&2; fail "up"; }
base=$(url)
await 20 "health through the balancer" curl -fsS "$base/health"
[ "$(curl -fsS "$base/health")" = '{"status":"ok","model_loaded":true}' ] || fail "/health answers something else"
body='{"feature1":5.3,"feature2":2.1,"feature3":0.8}'
curl -fsS "$base/predict" -H 'content-type: application/json' -d "$body" | grep -Eq '^\{"prediction":[0-9.-]+\}$' ||
    fail "/predict answers something else"
curl -fsS "$base/nginx_status" | grep -q '^Active connections: ' || fail "/nginx_status answers something else"
[ "$(dc ps -q trainer | xargs docker inspect -f '{{.State.Status}} {{.State.ExitCode}}')" = "exited 0" ] || fail "the trainer"
deploy/test/metrics.sh "$base" || fail "a dashboard or an alert names a metric that is not there"
for id in $(replicas) $(dc ps -q balancer); do
    set -- $(docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.CapDrop}} {{.HostConfig.Memory}}' "$id")
    [ "$1 $2 $3" = '65532:65532 true ["ALL"]' ] && [ "$4" -gt 0 ] || fail "container $id is not confined: $*"
done
await 20 "three endpoints" endpoints_are 3
say "up: 3 replicas answer"

# --- even ------------------------------------------------------------------------------------------------------------
curl -fsS -o /dev/null -D - "$base/health?n=[1-300]" | tr -d '\r' | awk 'tolower($1) == "martello-endpoint:" { print $2 }' |
    sort | uniq -c >"$logs/even"
awk '{ n++; if ($1 < 98 || $1 > 102) bad = 1 } END { exit bad || n != 3 }' "$logs/even" || { cat "$logs/even" >&2; fail "not even"; }
say "even: 300 requests went $(awk '{ printf "%s ", $1 }' "$logs/even")"

# --- scale up and down under load ------------------------------------------------------------------------------------
load scale 40
before=$(replicas)
dc up -d --scale replica=5 --no-recreate >"$logs/scale" 2>&1 &
scaling=$!
await 60 "five replicas run" eval '[ "$(replicas | wc -l)" -eq 5 ]'
for id in $(replicas); do
    case $before in *"$id"*) continue ;; esac
    await 30 "a new replica gets traffic" has_traffic "$(address "$id")"
    took=$(since "$(date -d "$(docker inspect -f '{{.State.StartedAt}}' "$id")" +%s.%N)")
    say "a new replica had traffic $took s after its container started"
    [ "$(echo "$took" | awk '{ print ($1 <= 5) }')" = 1 ] || fail "a new replica waited $took s for traffic, more than 5"
done
wait "$scaling" || { cat "$logs/scale" >&2; fail "scale to 5"; }
dc up -d --scale replica=2 --no-recreate >"$logs/scale" 2>&1 || { cat "$logs/scale" >&2; fail "scale to 2"; }
await 10 "the balancer forgets the removed" endpoints_are 2
kill -0 "$load_pid" 2>/dev/null || fail "the load ended before the replicas were removed: nothing was shown"
say "scaled down to 2"
load_held scale

# --- kill, and come back with another address ------------------------------------------------------------------------
dc up -d --scale replica=3 --no-recreate >"$logs/scale" 2>&1 || fail "scale to 3"
await 20 "three endpoints" endpoints_are 3
load kill 30
victim=$(replicas | head -n 1)
old=$(address "$victim")
await 20 "the victim has traffic" has_traffic "$old"
docker kill "$victim" >/dev/null
await 10 "the balancer forgets the killed one" endpoints_are 2
# Somebody else takes its address, so that it must come back with another.
docker run -d --name "$project-squatter" --network "${project}_inside" "$MARTELLO_IMAGE" \
    balance --listen 127.0.0.1:9009 --upstream 127.0.0.1:9010 >/dev/null
docker start "$victim" >/dev/null
new=$(address "$victim")
[ "$new" != "$old" ] || fail "the restarted replica kept its address $old: nothing was shown"
await 20 "the restarted replica gets traffic" has_traffic "$new"
took=$(since "$(date -d "$(docker inspect -f '{{.State.StartedAt}}' "$victim")" +%s.%N)")
say "killed at $old, restarted at $new: traffic $took s after its start"
load_held kill

# --- another version -------------------------------------------------------------------------------------------------
load swap 20
dc run --rm --no-deps -T trainer train --retrain >"$logs/train" 2>&1 || { cat "$logs/train" >&2; fail "train again"; }
dc run --rm --no-deps -T trainer registry promote linear_regression_model 2 >>"$logs/train" 2>&1 || { cat "$logs/train" >&2; fail "promote"; }
all_serve_2() { [ "$(curl -fsS "$base/?n=[1-9]" | grep -Eo '"version": ?"?2' | wc -l)" -eq 9 ]; }
await 60 "every replica serves version 2" all_serve_2
say "every replica serves version 2"
load_held swap

# --- without a registry ----------------------------------------------------------------------------------------------
if [ -n "$full" ]; then
    load outage 90
    dc stop mlflow object-store mysql >"$logs/stop" 2>&1 || fail "stop the registry"
    for id in $(replicas); do
        docker restart "$id" >/dev/null
        await 30 "a replica is healthy out of its cache" eval "docker exec $id /martello healthcheck"
    done
    await 20 "three endpoints" endpoints_are 3
    kill -0 "$load_pid" 2>/dev/null || fail "the load ended before the replicas were back: nothing was shown"
    say "every replica restarted out of its cache, with MLflow, MySQL and the object store stopped"
    load_held outage
fi

# --- end -------------------------------------------------------------------------------------------------------------
balancer=$(dc ps -q balancer)
for id in $(replicas | head -n 1) "$balancer"; do
    from=$(now)
    docker stop "$id" >/dev/null
    took=$(since "$from")
    code=$(docker inspect -f '{{.State.ExitCode}}' "$id")
    [ "$code" = 0 ] || fail "SIGTERM ended $(docker inspect -f '{{.Name}}' "$id") with $code"
    say "SIGTERM ended $(docker inspect -f '{{.Name}}' "$id") with 0 in $took s"
done
docker rm -f "$project-squatter" >/dev/null
dc --profile load-test down -v >"$logs/down" 2>&1 || { cat "$logs/down" >&2; fail "down"; }
label=label=com.docker.compose.project=$project
left=$(docker ps -aq --filter "$label"; docker network ls -q --filter "$label"; docker volume ls -q --filter "$label")
[ -z "$left" ] || fail "down -v left: $left"
say "down -v left nothing; every promise was kept"
