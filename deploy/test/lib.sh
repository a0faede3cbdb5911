# What the tests of this folder share. A test sets `files`, the compose files of its project, before it uses `dc`.
. deploy/test/names.sh
compose=${COMPOSE:-$(command -v docker-compose >/dev/null && echo docker-compose || echo docker compose)}
project=martello-test-$$
# A free port on loopback for everything that is published; and answers that say which replica gave them.
export MARTELLO_PUBLISH=127.0.0.1: MLFLOW_PUBLISH=127.0.0.1: LOAD_TEST_PUBLISH=127.0.0.1: MARTELLO_ROUTE_HEADERS=true
# Two cores must be enough for the test and what it tests.
export MARTELLO_REPLICA_CPUS=${MARTELLO_REPLICA_CPUS:-0.5}
users=${TEST_USERS:-200}
logs=$(mktemp -d)
files=()
containers=()
body='{"feature1":5.3,"feature2":2.1,"feature3":0.8}'
deploy/make-env.sh >"$logs/env"
started=$(date +%s.%N)

# ===== saying, waiting, ending =====

dc() { $compose -p "$project" --env-file "$logs/env" "${files[@]}" "$@"; }
say() { printf '%6.1f s  %s\n' "$(since "$started")" "$*"; }
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{ print $1 - $2 }'; }
fail() {
    say "FAILED: $*" >&2
    [ ${#files[@]} = 0 ] || dc logs --no-color --tail 30 >&2 || true
    exit 1
}

# Runs a command whose output matters only if it fails.
quietly() {
    "$@" >"$logs/quietly" 2>&1 || { cat "$logs/quietly" >&2; fail "$*"; }
}

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

# Removes whatever the test has made, however it ends.
clean_up() {
    local code=$?
    trap - EXIT
    [ ${#containers[@]} = 0 ] || docker rm -f "${containers[@]}" >/dev/null 2>&1 || true
    [ ${#files[@]} = 0 ] || dc --profile load-test down -v --remove-orphans -t 1 >"$logs/down" 2>&1 || true
    rm -rf "$logs"
    exit "$code"
}
trap clean_up EXIT

# ===== what runs =====

services() { # name of the service: its containers, without those of `run`
    docker ps -q "${@:2}" --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1" \
        --filter label=com.docker.compose.oneoff=False
}
replicas() { services replica; }
address() { docker inspect -f "{{with index .NetworkSettings.Networks \"${project}_inside\"}}{{.IPAddress}}{{end}}" "$1"; }
started_at() { date -d "$(docker inspect -f '{{.State.StartedAt}}' "$1")" +%s.%N; }
health() { docker inspect -f '{{.State.Health.Status}}' "$1"; }
health_is() { [ "$(health "$1")" = "$2" ]; }
are_running() { [ "$(services "$1" | wc -l)" -eq "$2" ]; } # service, number
published() { echo "http://127.0.0.1:$(docker port "$(services "$1")" "$2/tcp" | head -n 1 | sed 's/.*://')"; } # service, its port

# ===== what the balancer at $base says =====

metric() { curl -fsS "$base/metrics" | awk -v name="martello_balancer_$1" 'index($1, name) == 1 { print $1, $2 }'; }
endpoints() { metric 'endpoint_requests_total{' | wc -l; }
endpoints_are() { [ "$(endpoints)" -eq "$1" ]; }
requests_at() { metric "endpoint_requests_total{endpoint=\"$1:8000\"}" | awk '{ print $2 } END { if (!NR) print 0 }'; }
has_traffic() { [ "$(requests_at "$1")" -gt "${2:-0}" ]; }
all_serve() { [ "$(curl -fsS "$base/?n=[1-9]" | grep -Eo "\"version\": ?\"?$1\b" | wc -l)" -eq 9 ]; } # version
answers() {
    [ "$(curl -fsS "$base/health")" = '{"status":"ok","model_loaded":true}' ] &&
        curl -fsS "$base/predict" -H 'content-type: application/json' -d "$body" | grep -Eq '^\{"prediction":[0-9.-]+\}$'
}

# ===== load =====

# Starts load in the background, until `load_held` ends it: a name; and arguments of `docker run`, before the image, that
# put it where it reaches the host in LOCUST_HOST.
load() {
    load_name=$project-load-$1
    containers+=("$load_name")
    docker run -d --name "$load_name" "${@:2}" "$MARTELLO_IMAGE" \
        load --users "$users" --spawn-rate 100 --wait 0.1,0.3 --run-time 900s >/dev/null
    await 20 "load $1 has users" load_says " $users users"
}
load_says() { docker logs "$load_name" 2>&1 | grep -q "$1"; }

# Ends the load, which must still be there, and wants not one failed request.
load_held() {
    local code said
    docker kill -s TERM "$load_name" >/dev/null || fail "the load had ended before: nothing was shown"
    code=$(docker wait "$load_name")
    said=$(docker logs "$load_name" 2>&1)
    # 3: the generator was late, on a busy machine. Latencies then mean nothing; that no request failed still does.
    if ! [[ $code =~ ^[03]$ ]] || ! grep -q ', 0 failed (' <<<"$said"; then
        tail -n 40 <<<"$said" >&2
        fail "load $load_name: a request failed, or the load itself did ($code)"
    fi
    say "under load all the while: $(grep -m1 '^requests' <<<"$said")"
    docker rm "$load_name" >/dev/null
}
