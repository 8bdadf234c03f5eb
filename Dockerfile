# unionid-bridge: one binary on a small Debian, with nothing else installed.
#
#   docker build -t unionid-bridge .
#
# Where Docker Hub is out of reach, name mirrors of the two images, of the same Debian:
#   docker build --build-arg RUST=… --build-arg DEBIAN=… -t unionid-bridge .
ARG RUST=rust:1.95-bookworm
ARG DEBIAN=debian:bookworm-slim

FROM ${RUST} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /build
ENV CARGO_INCREMENTAL=0

# All dependencies, in a layer that stands until one of them changes. Cargo wants every target that the
# manifest names to have a file.
COPY Cargo.toml Cargo.lock ./
COPY entity entity
COPY migration migration
RUN mkdir src benches \
    && sed -n '/^\[\[bench\]\]/,/^name/ s|^name = "\(.*\)"|benches/\1.rs|p' Cargo.toml | xargs touch src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && rm -r src

# Files keep the dates of the working folder, which are older than what was just built of their stand-ins.
COPY src src
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

FROM ${DEBIAN}
LABEL org.opencontainers.image.title="unionid-bridge" \
      org.opencontainers.image.description="Knows that a WeChat Official Account follower and a Mini Program user are one person" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY LICENSE-* /usr/share/doc/unionid-bridge/
COPY --from=build /build/target/release/unionid-bridge /usr/local/bin/unionid-bridge
# For SQLite, and for an unionid-bridge.toml. A new volume takes its owner from here.
RUN install -d -o 10001 -g 10001 -m 0700 /data
VOLUME /data
WORKDIR /data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
# Stronger than http.listen in a file: inside a container the default would reach nobody.
ENV UNIONID_BRIDGE__HTTP__LISTEN=0.0.0.0:8080
EXPOSE 8080
# Drains for up to 24 s: give it 30 (docker run --stop-timeout 30).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["unionid-bridge", "health"]
ENTRYPOINT ["unionid-bridge"]
CMD ["serve"]
