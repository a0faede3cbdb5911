# One image for trainer, replica, balancer and load test: a static binary and the CA certificates, nothing else.
#   docker build -t martello .
# The classic builder and BuildKit both take it, so it uses neither cache mounts nor here-documents.
FROM rust:1.95-slim-bookworm AS manifests
WORKDIR /src
COPY . .
# Only what decides about dependencies stays: the manifests, and a program that does nothing for each target that they name.
RUN for manifest in $(find . -name Cargo.toml); do \
        crate=$(dirname $manifest) && stub=/manifests/$crate && mkdir -p $stub/src && cp $manifest $stub/ \
        && if [ -e $crate/src/main.rs ]; then echo src/main.rs; else : > $stub/src/lib.rs; fi > /targets \
        && awk -F '"' '/^\[/ { folder = /^\[\[(bench|example|test)\]\]/ ? substr($0, 3, length - 4) : ""; sub(/bench/, "benche", folder) } \
            folder && /^name *=/ { print folder "s/" $2 ".rs" }' $manifest >> /targets \
        && while read target; do mkdir -p $stub/$(dirname $target) && echo 'fn main() {}' > $stub/$target; done < /targets; \
    done && cp Cargo.lock /manifests/
# What stays of this stage and the next is a cache: docker image prune --filter label=org.martello.stage
LABEL org.martello.stage=manifests

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# Optimised across crates. `release` takes 3 to 4 % more processor time for a request and 3 MB more, and links minutes earlier.
ARG PROFILE=dist
# glibc, linked statically; its resolver works in an empty image since the DNS and hosts lookups are part of libc itself
# (glibc 2.34). The target is named so that build scripts and procedural macros stay dynamic.
ENV RUSTFLAGS="-C target-feature=+crt-static" \
    CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu \
    CARGO_PROFILE_RELEASE_DEBUG=false
# The dependencies first, against empty crates: this layer is reused until a manifest or the lock file changes.
COPY --from=manifests /manifests/ ./
RUN nice cargo build --profile $PROFILE --locked --package martello-cli
# The facade stays empty: the binary does not use it, and its sources are not sent.
COPY . .
# A newer time stamp than the empty crates' artifacts, or cargo would keep those. A position-independent binary has a million
# bytes of relocations; packed they are a few thousand, and glibc 2.36 and later unpack them.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && nice cargo rustc --profile $PROFILE --locked --package martello-cli --bin martello -- -C link-arg=-Wl,-z,pack-relative-relocs \
    && install -D -s target/$CARGO_BUILD_TARGET/$PROFILE/martello /image/martello \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -d -o 65532 -g 65532 /image/data \
    && rm -rf target
LABEL org.martello.stage=build

FROM scratch
COPY --from=build /image/ /
# Last, since they change with every build: --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="martello" \
      org.opencontainers.image.description="Train, register, serve, balance and load-test models" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# A new volume on /data takes the folder's owner, so that no container has to start as root.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    MARTELLO_DATA_DIR=/data
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/martello"]
CMD ["--help"]
