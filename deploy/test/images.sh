#!/usr/bin/env bash
# Builds the images that the tests of this folder start, side by side: deploy/test/images.sh
# Martello's and MLflow's from their own Dockerfiles, unchanged, and stand-ins for those that not every machine can pull.
# They have names of their own, so that no image that somebody works with is replaced; deploy/test/clean.sh removes them.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/names.sh

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Where .ci/real-servers has compiled the object store already, it is not compiled again.
s3s=${MARTELLO_REAL_SERVERS_S3:-target/real-servers/s3s-0.14.1}/bin/s3s-fs
store=$logs/object-store
cp -r deploy/test/stand-ins/object-store "$store"
[ ! -x "$s3s" ] || cp "$s3s" "$store/"

build() { # name, folder
    local started=$SECONDS
    docker build --force-rm -t "$1" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" "$2" >"$logs/${1%%:*}" 2>&1 ||
        { tail -n 40 "$logs/${1%%:*}" >&2; echo "image $1 cannot be built" >&2; return 1; }
    echo "image $1: $((SECONDS - started)) s, $(docker image inspect -f '{{.Size}}' "$1" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
}

pids=()
build "$MARTELLO_IMAGE" . & pids+=($!)
build "$MLFLOW_IMAGE" deploy/mlflow & pids+=($!)
build martello-test-mysql deploy/test/stand-ins/mysql & pids+=($!)
build martello-test-prometheus deploy/test/stand-ins/prometheus & pids+=($!)
build martello-test-object-store "$store" & pids+=($!)
for pid in "${pids[@]}"; do wait "$pid"; done
