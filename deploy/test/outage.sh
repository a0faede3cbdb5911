# Part of compose.sh --full: the registry's servers fail, one after the other and all together, under load.
under_load outage

# Each of these must say in one line what is wrong, and end with an error; nothing else is touched by it.
trainer_fails() { # what is wrong, then what it must say
    if dc run --rm --no-deps -T -e MLFLOW_HTTP_REQUEST_MAX_RETRIES=1 trainer train --retrain >"$logs/trainer" 2>&1; then fail "trained with $1"; fi
    [ "$(grep -c '^error: ' "$logs/trainer")" = 1 ] && grep '^error: ' "$logs/trainer" | grep -Eq "$2" ||
        { cat "$logs/trainer" >&2; fail "with $1 the trainer does not say $2 in one line"; }
    say "with $1: $(grep '^error: ' "$logs/trainer")"
}
[ -z "$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter health=unhealthy)" ] || fail "something is unhealthy"

wrong_key() { dc run --rm --no-deps -T -e AWS_SECRET_ACCESS_KEY=wrong create-bucket; }
if wrong_key >"$logs/bucket" 2>&1; then fail "a wrong key was taken"; fi
grep -q '^error: .*refuses bucket.*check OBJECT_STORE_ACCESS_KEY' "$logs/bucket" || { cat "$logs/bucket" >&2; fail "a wrong key"; }
say "with a wrong key: $(grep '^error: ' "$logs/bucket")"

quietly dc stop -t 1 object-store
trainer_fails "the object store stopped" 'the model'
quietly dc stop -t 20 mysql
mlflow=$(services mlflow)
await 90 "MLflow is unhealthy without MySQL" health_is "$mlflow" unhealthy
trainer_fails "MySQL stopped" 'registry failed'
quietly dc stop -t 5 mlflow
trainer_fails "MLflow stopped" 'registry failed'

for id in $(replicas); do
    docker restart "$id" >/dev/null
    await 30 "a replica is healthy out of its cache" docker exec "$id" /martello healthcheck
done
await 20 "three endpoints" endpoints_are 3
say "every replica restarted out of its cache, with MLflow, MySQL and the object store stopped"
load_held

under_load recovery
quietly dc up -d --scale replica=3 --no-recreate
await 120 "MLflow is healthy again" health_is "$(services mlflow)" healthy
quietly dc run --rm --no-deps -T trainer train --retrain
quietly dc run --rm --no-deps -T trainer registry promote linear_regression_model 3
await 60 "every replica serves version 3" all_serve 3
say "the servers came back: trained, promoted, served"
load_held
