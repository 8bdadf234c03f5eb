# unionid-bridge: one binary on Debian slim, with nothing else installed.
#
#   docker build -t unionid-bridge .
#
# If Docker Hub is unreachable, use mirrors of both images with the same Debian release:
#   docker build --build-arg RUST=… --build-arg DEBIAN=… -t unionid-bridge .
ARG RUST=rust:1.95-bookworm
ARG DEBIAN=debian:bookworm-slim

FROM ${RUST} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /build
ENV CARGO_INCREMENTAL=0

# The dependencies, in a layer that is rebuilt only when one of them changes. Cargo requires a file for every
# target in the manifest.
COPY Cargo.toml Cargo.lock ./
COPY entity entity
COPY migration migration
RUN mkdir src benches \
    && sed -n '/^\[\[bench\]\]/,/^name/ s|^name = "\(.*\)"|benches/\1.rs|p' Cargo.toml | xargs touch src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && rm -r src

# COPY keeps file dates that are older than the build of the stub files, so touch the roots to force a rebuild.
COPY src src
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

FROM ${DEBIAN}
LABEL org.opencontainers.image.title="unionid-bridge" \
      org.opencontainers.image.description="Links WeChat Official Account followers to Mini Program users by unionid, and sends them messages" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY LICENSE-* /usr/share/doc/unionid-bridge/
COPY --from=build /build/target/release/unionid-bridge /usr/local/bin/unionid-bridge
# For SQLite and for a unionid-bridge.toml. A new volume inherits this owner.
RUN install -d -o 10001 -g 10001 -m 0700 /data
VOLUME /data
WORKDIR /data
# Numeric, so that Kubernetes can verify that it is not root.
USER 10001:10001
# Overrides http.listen of the file: the default, loopback, is unreachable from outside the container.
ENV UNIONID_BRIDGE__HTTP__LISTEN=0.0.0.0:8080
EXPOSE 8080
# The shutdown takes up to 24 s: allow 30 (docker run --stop-timeout 30).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["unionid-bridge", "health"]
ENTRYPOINT ["unionid-bridge"]
CMD ["serve"]
