# syntax=docker/dockerfile:1
# memgate in an image without a shell, run by nobody in particular, with nothing to write to but
# its volume:
#   docker build -t memgate .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -p 3000:3000 -v memgate:/var/lib/memgate memgate

# With the two base images pinned by digest (`@sha256:…`, of your own mirror) the same source gives
# the same image.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc g++ cmake make libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Fixed time and paths: two builds of one commit are the same, byte for byte.
ENV SOURCE_DATE_EPOCH=0 \
    CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/src=memgate --remap-path-prefix=/usr/local/cargo=cargo"
# Dependencies first, from the manifest alone: a change of our source leaves this layer alone.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs \
 && for bench in $(sed -n '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml); do \
      echo 'fn main() {}' > "benches/$bench.rs"; done \
 && cargo build --release --locked --bin memgate \
 && rm -rf src benches target/release/memgate target/release/deps/*memgate*
COPY . .
RUN cargo build --release --locked --bin memgate \
 && mkdir -p /out/var/lib/memgate \
 && cp target/release/memgate /out/memgate

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="memgate" \
      org.opencontainers.image.description="A locked front door for AI memory" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/memgate /memgate
COPY --from=build --chown=65532:65532 /out/var/lib/memgate /var/lib/memgate
USER 65532:65532
# In a container the loopback address reaches nobody, so it listens on all of them, and says with
# `behind_proxy` that something in front of it ends TLS. Give it certificates to end TLS itself.
ENV HOST=0.0.0.0 \
    PORT=3000 \
    MEMGATE_LISTEN__BEHIND_PROXY=true \
    MEMGATE_DATA_DIR=/var/lib/memgate/data
VOLUME ["/var/lib/memgate"]
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/memgate", "doctor", "--health"]
ENTRYPOINT ["/memgate"]
CMD ["serve"]
