#!/usr/bin/env bash
# What somebody gets who made a mistake: one message that says what is wrong, the right state of health, and a stack that
# goes on: deploy/test/mistakes.sh. What the registry's servers can do is in compose.sh --full.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/lib.sh

# --- no .env ---------------------------------------------------------------------------------------------------------
: >"$logs/nothing"
if $compose -p "$project" --env-file "$logs/nothing" -f compose.yaml up -d >"$logs/up" 2>&1; then fail "compose.yaml starts without passwords"; fi
grep -q 'is not set, run deploy/make-env.sh > .env' "$logs/up" || { cat "$logs/up" >&2; fail "a missing .env"; }
[ -z "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" ] || fail "something was started without passwords"
say "no .env: $(grep -m1 'is not set' "$logs/up")"

# --- a trainer that fails, at the first start ------------------------------------------------------------------------
files=(-f compose.embedded.yaml)
up() { dc up -d --scale replica=2 >"$logs/up" 2>&1; }
if REGISTERED_MODEL_NAME=a/b up; then fail "up succeeds with a trainer that fails"; fi
trainer=$(services trainer -a)
[ "$(docker inspect -f '{{.State.ExitCode}}' "$trainer")" = 1 ] || fail "the exit code of a trainer that fails"
docker logs "$trainer" >"$logs/trainer" 2>&1
[ "$(wc -l <"$logs/trainer")" = 1 ] && grep -q '^error: .*a/b' "$logs/trainer" || { cat "$logs/trainer" >&2; fail "a trainer that fails says more than one thing"; }
[ -z "$(replicas)" ] || fail "replicas run although the trainer failed"
say "a trainer that fails: $(cat "$logs/trainer")"

# --- a port that is taken --------------------------------------------------------------------------------------------
containers+=("$project-squatter")
docker run -d --name "$project-squatter" -p 127.0.0.1::8000 "$MARTELLO_IMAGE" balance --upstream 127.0.0.1:9 >/dev/null
taken=$(docker port "$project-squatter" 8000/tcp)
if MARTELLO_PUBLISH=$taken up; then fail "up succeeds on a port that is taken"; fi
grep -Eq 'port is already allocated|address already in use' "$logs/up" || { cat "$logs/up" >&2; fail "a port that is taken"; }
for id in $(replicas); do await 30 "replicas are healthy all the same" health_is "$id" healthy; done
are_running replica 2 || fail "not every replica runs"
say "a port that is taken: $(grep -Eo -m1 '[^:]*(port is already allocated|address already in use)' "$logs/up" | head -n 1)"
docker rm -f "$project-squatter" >/dev/null
MARTELLO_PUBLISH=$taken up || { cat "$logs/up" >&2; fail "up, once the port is free"; }
base=http://$taken
export MARTELLO_PUBLISH=$taken
await 20 "it answers once the port is free" answers

# --- a registry without the model ------------------------------------------------------------------------------------
lost=$(dc run -d --no-deps -e REGISTERED_MODEL_NAME=nobody replica 2>/dev/null | tail -n 1)
lost=$(docker inspect -f '{{.Id}}' "$lost")
containers+=("$lost")

# --- a trainer that fails, while replicas serve ----------------------------------------------------------------------
if dc run --rm --no-deps -T trainer train --retrain --model-name a/b >"$logs/trainer" 2>&1; then fail "a/b is the name of a model"; fi
before=$(replicas)
if REGISTERED_MODEL_NAME=a/b up; then fail "up succeeds with a trainer that fails"; fi
answers || fail "a trainer that fails takes the service with it"
[ "$(replicas)" = "$before" ] || fail "a trainer that fails takes replicas with it"
say "a trainer that fails beside replicas that serve: they go on"

await 60 "a replica without its model is unhealthy" health_is "$lost" unhealthy
docker logs "$lost" >"$logs/lost" 2>&1
[ "$(grep -c 'warning' "$logs/lost")" = 1 ] && grep -q 'warning: answering 503 until there is a model.*nobody' "$logs/lost" || { cat "$logs/lost" >&2; fail "a replica without its model does not say so once"; }
[ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' "$lost")" = 'true 0' ] || fail "a replica without its model ends"
answers || fail "a replica without its model takes the service with it"
say "a registry without the model: $(grep warning "$logs/lost")"
say "every mistake was named, and broke nothing else"
