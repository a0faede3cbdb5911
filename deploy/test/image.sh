#!/usr/bin/env bash
# What the image promises, of the one that deploy/test/images.sh has built: deploy/test/image.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/lib.sh

inspect() { docker image inspect -f "$1" "$MARTELLO_IMAGE"; }
size=$(inspect '{{.Size}}')
[ "$size" -le 25000000 ] || fail "the image has $size bytes, more than 25 MB"
[ "$(inspect '{{.Config.User}} {{json .Config.Entrypoint}} {{.Config.StopSignal}}')" = '65532:65532 ["/martello"] SIGTERM' ] || fail "the image's configuration"
for label in title description licenses version revision; do
    [ -n "$(inspect "{{index .Config.Labels \"org.opencontainers.image.$label\"}}")" ] || fail "no label $label"
done
[ "$(inspect '{{index .Config.Labels "org.opencontainers.image.revision"}}')" = "$(git rev-parse HEAD)" ] || fail "the label of the revision"
id=$(docker create "$MARTELLO_IMAGE")
containers+=("$id")
found=$(docker export "$id" | tar -t | grep -v '/$' | grep -vE '^(\.dockerenv|dev/.*|etc/(hostname|hosts|resolv.conf|mtab))$' | sort | xargs)
[ "$found" = "etc/ssl/certs/ca-certificates.crt martello" ] || fail "the image holds: $found"
docker export "$id" | tar -xO martello >"$logs/martello"
! grep -aq '/ld-linux' "$logs/martello" || fail "the binary is not static"
say "image: $(awk -v size="$size" 'BEGIN { printf "%.1f MB", size / 1e6 }'), one static binary and the certificates"

# BuildKit takes the same Dockerfile: its first stage tells in seconds. Not every `docker` can ask for it.
buildkit=
for docker in $(which -a docker); do
    DOCKER_BUILDKIT=1 "$docker" build -q - <<<$'FROM scratch\nLABEL of=nothing' >/dev/null 2>&1 && buildkit=$docker && break
done
if [ -n "$buildkit" ]; then
    DOCKER_BUILDKIT=1 "$buildkit" build -q --target manifests . >/dev/null || fail "BuildKit does not take the Dockerfile"
    say "BuildKit takes the Dockerfile"
else
    say "NOT TESTED: BuildKit (no docker here can ask for it)"
fi

# SIGTERM ends every command as process 1, confined as in the compose files, whatever it is at.
ends() { # exit code, then the command
    local code=$1 id from took
    shift
    id=$(docker run -d --network none --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /data:uid=65532 \
        -e MLFLOW_HTTP_REQUEST_MAX_RETRIES=10 "$MARTELLO_IMAGE" "$@")
    containers+=("$id")
    sleep 0.5
    [ "$(docker inspect -f '{{.State.Running}}' "$id")" = true ] || { docker logs "$id" >&2; fail "$1 did not run"; }
    from=$(now)
    docker stop -t 9 "$id" >/dev/null
    took=$(since "$from")
    [ "$(docker inspect -f '{{.State.ExitCode}}' "$id")" = "$code" ] || { docker logs "$id" >&2; fail "$1 ended with $(docker inspect -f '{{.State.ExitCode}}' "$id") after $took s"; }
    docker rm "$id" >/dev/null
    said+=" $1"
}
said=
nowhere=http://127.0.0.1:9
ends 0 serve
ends 0 serve --tracking-uri $nowhere
ends 0 balance --upstream 127.0.0.1:9
ends 0 up
ends 0 up --tracking-uri $nowhere
ends 143 train --tracking-uri $nowhere
ends 143 registry --tracking-uri $nowhere list
ends 0 load --web 127.0.0.1:8089
say "SIGTERM ends each as process 1:$said"
