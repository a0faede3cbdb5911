#!/usr/bin/env bash
# Removes the images that the tests of this folder made, and what their builds left: deploy/test/clean.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/names.sh
docker image rm -f "$MARTELLO_IMAGE" "$MLFLOW_IMAGE" martello-test-mysql martello-test-prometheus martello-test-object-store >/dev/null 2>&1 || true
docker image prune -f --filter label=org.martello.stage >/dev/null
