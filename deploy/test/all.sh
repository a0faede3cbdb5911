#!/usr/bin/env bash
# Everything that is promised of the deployment, on this machine's Docker: deploy/test/all.sh
# Base images where none can be pulled, all images, then each test; says how long each part took.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/tools.sh

part() { # name, command
    local started=$SECONDS
    echo "--- $1"
    "${@:2}" || { echo "--- $1: FAILED after $((SECONDS - started)) s" >&2; exit 1; }
    echo "--- $1: ok after $((SECONDS - started)) s"
}
part "manifests" deploy/test/manifests.sh
part "base images" deploy/test/base-images.sh
part "images" deploy/test/images.sh
part "the image" deploy/test/image.sh
# One stack by each of the two Compose programs.
part "embedded stack" env COMPOSE=compose2 deploy/test/compose.sh
part "mistakes" deploy/test/mistakes.sh
part "full stack" deploy/test/compose.sh --full
part "swarm" deploy/test/swarm.sh
