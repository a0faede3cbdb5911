#!/usr/bin/env bash
# Makes the two base images that the Dockerfiles of this project name, out of what a Debian machine has, where none can
# be pulled: deploy/test/base-images.sh
#   debian:bookworm-slim      Debian's packages
#   rust:1.95-slim-bookworm   the same with a C compiler and this machine's own Rust toolchain
# They have the very names, so that the Dockerfiles are tested as they are. An image that exists is kept. Both trust this
# machine's certificates, for networks with an authority of their own. About a minute from nothing.
set -euo pipefail

DEBIAN=debian:bookworm-slim
RUST=rust:1.95-slim-bookworm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

have() { docker image inspect "$1" >/dev/null 2>&1; }

# Where images can be pulled, the real ones are better. A registry that is out of reach says no at once; one that hangs
# must not hold up a test.
pull() { timeout 60 docker pull -q "$1" >/dev/null 2>&1; }

# An image of Debian's packages: its name, then what it has besides the smallest set.
from_packages() {
    local name=$1 folder
    shift
    folder=$work/${name%%:*}
    mkdir -p "$folder"
    mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "ca-certificates $*" | tr ' ' ,)" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$folder/root.tar"
    cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$folder/ca-certificates.crt"
}

make_debian() {
    from_packages $DEBIAN
    printf 'FROM scratch\nADD root.tar /\nCOPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt\nCMD ["bash"]\n' \
        >"$work/debian/Dockerfile"
    docker build -q -t $DEBIAN "$work/debian" >/dev/null
}

make_rust() {
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    [ "${version%.*}" = 1.95 ] || echo "note: $RUST gets this machine's Rust $version" >&2
    from_packages $RUST gcc libc6-dev make pkg-config
    mkdir "$work/rust/toolchain"
    (cd "$(rustc --print sysroot)" && cp -rL bin lib libexec "$work/rust/toolchain/" 2>/dev/null) || true
    printf 'FROM scratch\nADD root.tar /\nCOPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt\nCOPY toolchain /usr/local/rust\nENV PATH=/usr/local/rust/bin:/usr/local/bin:/usr/bin:/bin\n' \
        >"$work/rust/Dockerfile"
    docker build -q -t $RUST "$work/rust" >/dev/null
}

pids=()
for image in debian rust; do
    name=DEBIAN
    [ $image = debian ] || name=RUST
    have "${!name}" || pull "${!name}" && continue
    command -v mmdebstrap >/dev/null || { apt-get update -q; apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends mmdebstrap; } >&2
    "make_$image" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
docker image ls --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep -E '^(debian:bookworm-slim|rust:1.95-slim-bookworm) '
