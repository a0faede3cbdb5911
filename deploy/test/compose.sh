#!/usr/bin/env bash
# Does with a compose file what docs/operations.md promises, on a real engine, from nothing to nothing:
#   deploy/test/compose.sh [--full]
# compose.embedded.yaml, or with --full compose.yaml with stand-ins for the images that not every machine can pull. The
# images are those of deploy/test/images.sh. COMPOSE names the program (docker-compose, or "docker compose"). Ends at the
# first promise that is not kept. Load stays inside the project's own network.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/lib.sh
files=(-f compose.embedded.yaml)
full=
case ${1:-} in
    --full) full=yes files=(-f compose.yaml -f deploy/test/compose.stand-ins.yaml) ;;
    '') ;;
    *) echo "usage: $0 [--full]" >&2; exit 2 ;;
esac
# Some seconds in which compose is at work while a test looks on.
scale() { dc up -d --scale "replica=$1" --no-recreate >"$logs/scale" 2>&1 || { cat "$logs/scale" >&2; fail "scale to $1"; }; }
under_load() { load "$1" --network "${project}_outside" -e LOCUST_HOST=http://balancer:8000; }
say "${files[*]} with $($compose version | head -n 1)"

# --- start -----------------------------------------------------------------------------------------------------------
dc up -d --scale replica=3 >"$logs/up" 2>&1 || { cat "$logs/up" >&2; fail "up"; }
base=$(published balancer 8000)
await 20 "health and a prediction through the balancer" answers
[[ $(curl -fsS "$base/nginx_status") == 'Active connections: '* ]] || fail "/nginx_status answers something else"
trainer=$(services trainer -a)
[ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$trainer")" = "exited 0" ] || fail "the trainer"
for id in $(replicas) $(services balancer); do
    set -- $(docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.CapDrop}} {{.HostConfig.Memory}}' "$id")
    [ "$1 $2 $3" = '65532:65532 true ["ALL"]' ] && [ "$4" -gt 0 ] || fail "container $id is not confined: $*"
done
[ -z "$full" ] || . deploy/test/monitoring.sh
outside=$(docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Ports}}' | grep -c -- '->')
[ "$outside" -eq "$([ -n "$full" ] && echo 2 || echo 1)" ] || fail "$outside services have a published port"
await 20 "three endpoints" endpoints_are 3
say "up: 3 replicas answer"

# --- even ------------------------------------------------------------------------------------------------------------
curl -fsS -o /dev/null -D - "$base/health?n=[1-300]" | tr -d '\r' | awk 'tolower($1) == "martello-endpoint:" { print $2 }' |
    sort | uniq -c >"$logs/even"
awk '{ n++; if ($1 < 98 || $1 > 102) bad = 1 } END { exit bad || n != 3 }' "$logs/even" || { cat "$logs/even" >&2; fail "not even"; }
say "even: 300 requests went $(awk '{ printf "%s ", $1 }' "$logs/even")"

# --- scale up and down under load ------------------------------------------------------------------------------------
under_load scale
before=$(replicas)
scale 5 &
scaling=$!
await 60 "five replicas run" are_running replica 5
for id in $(replicas); do
    case $before in *"$id"*) continue ;; esac
    await 30 "a new replica gets traffic" has_traffic "$(address "$id")"
    took=$(since "$(started_at "$id")")
    say "a new replica had traffic $took s after its container started"
    awk -v took="$took" 'BEGIN { exit took > 5 }' || fail "a new replica waited $took s for traffic, more than 5"
done
wait "$scaling" || exit 1
scale 2
await 10 "the balancer forgets the removed" endpoints_are 2
say "scaled to 5 and down to 2"
load_held

# --- kill, and come back with another address ------------------------------------------------------------------------
scale 3
await 20 "three endpoints" endpoints_are 3
under_load kill
victim=$(replicas | head -n 1)
old=$(address "$victim")
await 20 "the victim has traffic" has_traffic "$old"
docker kill "$victim" >/dev/null
await 10 "the balancer forgets the killed one" endpoints_are 2
# Somebody else takes its address, so that it must come back with another.
containers+=("$project-squatter")
docker run -d --name "$project-squatter" --network "${project}_inside" "$MARTELLO_IMAGE" \
    balance --listen 127.0.0.1:9009 --upstream 127.0.0.1:9010 >/dev/null
docker start "$victim" >/dev/null
new=$(address "$victim")
[ "$new" != "$old" ] || fail "the restarted replica kept its address $old: nothing was shown"
await 20 "the restarted replica gets traffic" has_traffic "$new"
say "killed at $old, restarted at $new: traffic $(since "$(started_at "$victim")") s after its start"
docker rm -f "$project-squatter" >/dev/null
load_held

# --- another version -------------------------------------------------------------------------------------------------
under_load swap
quietly dc run --rm --no-deps -T trainer train --retrain
quietly dc run --rm --no-deps -T trainer registry promote linear_regression_model 2
await 60 "every replica serves version 2" all_serve 2
say "trained again and promoted: every replica serves version 2"
load_held

# --- without a registry ----------------------------------------------------------------------------------------------
if [ -n "$full" ]; then
    . deploy/test/outage.sh
fi

# --- load, as the guide does it, and the end -------------------------------------------------------------------------
dc run --rm --no-deps -T load-test --users 20 --spawn-rate 20 --wait 0.1,0.3 --run-time 2s >"$logs/load" 2>&1 ||
    [ $? = 3 ] || { cat "$logs/load" >&2; fail "docker-compose run load-test"; }
grep -q ', 0 failed (' "$logs/load" || fail "docker-compose run load-test has failures"
for id in $(replicas | head -n 1) $(services balancer); do
    from=$(now)
    docker stop "$id" >/dev/null
    code=$(docker inspect -f '{{.State.ExitCode}}' "$id")
    [ "$code" = 0 ] || fail "SIGTERM ended $(docker inspect -f '{{.Name}}' "$id") with $code"
    say "SIGTERM ended $(docker inspect -f '{{.Name}}' "$id") with 0 in $(since "$from") s"
done
quietly dc --profile load-test down -v
label=label=com.docker.compose.project=$project
left=$(docker ps -aq --filter "$label"; docker network ls -q --filter "$label"; docker volume ls -q --filter "$label")
[ -z "$left" ] || fail "down -v left: $left"
say "down -v left nothing; every promise was kept"
