# One image for trainer, replica, balancer and load test: a static binary and the CA certificates, nothing else.
#   docker build -t martello .
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# Static glibc: the build scripts and proc macros stay dynamic because the target is named.
ENV RUSTFLAGS="-C target-feature=+crt-static" \
    CARGO_TARGET=x86_64-unknown-linux-gnu

# The dependencies first, against empty crates: this layer is reused until a manifest changes.
COPY Cargo.toml Cargo.lock ./
COPY model-core/Cargo.toml model-core/
COPY registry-client/Cargo.toml registry-client/
COPY trainer/Cargo.toml trainer/
COPY serving/Cargo.toml serving/
COPY balancer/Cargo.toml balancer/
COPY load-test/Cargo.toml load-test/
COPY cli/Cargo.toml cli/
RUN for crate in . model-core registry-client trainer serving balancer load-test; do \
        mkdir -p $crate/src && : > $crate/src/lib.rs; \
    done && mkdir -p cli/src && echo 'fn main() {}' > cli/src/main.rs \
    && sed -i '/^\[\[bench\]\]/,$d' Cargo.toml \
    && cargo build --release --locked --package martello-cli --target $CARGO_TARGET

COPY . .
# A newer time stamp than the empty crates', or cargo would keep them.
RUN find . -name '*.rs' -path '*/src/*' -exec touch {} + \
    && cargo build --release --locked --package martello-cli --target $CARGO_TARGET \
    && install -D -s target/$CARGO_TARGET/release/martello /image/martello \
    && install -D /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -d -o 65532 -g 65532 /image/data

FROM scratch
LABEL org.opencontainers.image.title="martello" \
      org.opencontainers.image.description="Train, register, serve, balance and load-test models" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    MARTELLO_DATA_DIR=/data
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/martello"]
CMD ["--help"]
