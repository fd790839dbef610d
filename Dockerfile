# syntax=docker/dockerfile:1
# freshsignal as one static binary on an empty image: no shell, no package manager, no root.
#
#   docker build --tag freshsignal .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges --volume freshsignal:/data \
#     --publish 8080:8080 --publish 127.0.0.1:8081:8081 --env-file freshsignal.env freshsignal
#
# In freshsignal.env at least: FRESHSIGNAL_SOURCES__WEBSITE__WRITE_KEY, FRESHSIGNAL_FRESHSALES__BUNDLE_ALIAS,
# FRESHSIGNAL_FRESHSALES__API_KEY.
# The private listener asks for the admin token, made at the first start: `docker exec NAME /freshsignal token`.

# On Alpine the compiler's own target is musl, which links statically by default.
FROM rust:1.95-alpine AS builder
# The C compiler and headers for the bundled SQLite and for ring.
RUN apk add --no-cache gcc musl-dev
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
COPY benches benches
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin freshsignal \
    && mkdir -p /image/data \
    && chmod 0700 /image/data \
    && cp target/release/freshsignal /image/freshsignal

FROM scratch
COPY --from=builder /image/freshsignal /freshsignal
# A volume that is new takes its owner from here.
COPY --from=builder --chown=65532:65532 /image/data /data
USER 65532:65532
# EPHEMERAL: without a volume every accepted event would go with the container. TMPDIR: the one place that can be written when the root is read-only; SQLite sorts there.
ENV FRESHSIGNAL_ADMIN__LISTEN=0.0.0.0:8081 \
    FRESHSIGNAL_STORE__PATH=/data \
    FRESHSIGNAL_STORE__EPHEMERAL=false \
    TMPDIR=/data
EXPOSE 8080 8081
VOLUME ["/data"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/freshsignal", "health"]
ENTRYPOINT ["/freshsignal"]
CMD ["serve"]
