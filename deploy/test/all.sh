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
part "full stack" deploy/test/compose.sh --full
# These two mostly wait; what the first says is shown after the second, whatever becomes of that.
said=$(mktemp)
part "mistakes" deploy/test/mistakes.sh >"$said" 2>&1 &
trap 'code=$?; wait $! || code=1; cat "$said"; rm "$said"; exit $code' EXIT
part "swarm" deploy/test/swarm.sh
