#!/usr/bin/env bash
# docker stack deploy on a Swarm of one node, then a rolling update of the image under load, the new one first: no
# request fails. deploy/test/swarm.sh; the image is that of deploy/test/images.sh.
# Without an MLflow server: on one node, trainer and replicas share a volume, so its SQLite file is the registry.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/lib.sh

stack=$project
new_image=$MARTELLO_IMAGE-next
export MARTELLO_PORT MLFLOW_TRACKING_URI=sqlite:////data/mlflow.db
MARTELLO_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$MARTELLO_PORT
tasks() { docker service ps -q -f desired-state=running "${stack}_replica" | wc -l; }
image_of_tasks() { docker service ps -f desired-state=running --format '{{.Image}} {{.CurrentState}}' "${stack}_replica"; }
answers_3() { answers && endpoints_are 3; }

started_swarm=
leave() {
    local code=$? label="label=com.docker.stack.namespace=$stack"
    docker stack rm "$stack" >/dev/null 2>&1 || true
    # Swarm removes in the background, and a network only once its last container is gone.
    for _ in $(seq 120); do
        [ -n "$(docker ps -q --filter "$label"; docker network ls -q --filter "$label")" ] || break
        sleep 0.5
    done
    docker ps -aq --filter "$label" | xargs -r docker rm -f >/dev/null || true
    docker volume ls -q --filter "$label" | xargs -r docker volume rm >/dev/null || true
    if [ -n "$started_swarm" ]; then
        docker swarm leave --force >/dev/null || true
        docker network rm docker_gwbridge >/dev/null || true
    fi
    docker image rm "$new_image" >/dev/null 2>&1 || true
    (exit "$code") || clean_up
    clean_up
}
trap leave EXIT
if [ "$(docker info -f '{{.Swarm.LocalNodeState}}')" != active ]; then
    docker swarm init --advertise-addr 127.0.0.1 >/dev/null
    started_swarm=yes
fi

quietly docker stack deploy --resolve-image never -c deploy/swarm/stack.yaml "$stack"
await 90 "three replicas answer through the balancer" answers_3
say "stack deploy: 3 replicas answer"

load update --network host -e LOCUST_HOST="$base"
quietly docker service scale -d "${stack}_replica=4"
await 60 "a fourth replica" endpoints_are 4
quietly docker service scale -d "${stack}_replica=3"
await 60 "three again" endpoints_are 3
say "scaled to 4 and back to 3"
printf 'FROM %s\nLABEL next=yes\n' "$MARTELLO_IMAGE" | docker build -q -t "$new_image" - >/dev/null 2>&1
from=$(now)
quietly docker service update -d --no-resolve-image --image "$new_image" "${stack}_replica"
updated() {
    [ "$(docker service inspect -f '{{.UpdateStatus.State}}' "${stack}_replica")" = completed ] &&
        [ "$(image_of_tasks | grep -c "^$new_image Running")" = 3 ]
}
await 180 "the rolling update" updated
await 30 "the balancer has the three new ones" endpoints_are 3
say "rolled to another image in $(since "$from") s, the new ones first"
load_held
docker stack rm "$stack" >/dev/null
say "a rolling update lost nothing"
