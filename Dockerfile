# The jobs as an image: one executable, a link for each job. It builds with BuildKit and with the classic builder.
#
#   docker build -t lockstep .
#   docker run --rm --network host lockstep ingest-customers --max-records 10000
ARG RUST_IMAGE=rust:1.95-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src
# For a registry mirror: --config 'source.…'. CARGO_BUILD_JOBS: fewer compilers at a time.
ARG CARGO_FLAGS=
ARG CARGO_BUILD_JOBS

# The dependencies are a layer of their own: they change with Cargo.lock only, and take most of the time.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches tests/corpus tests/fixtures \
    && touch src/lib.rs benches/ingest.rs benches/aging.rs benches/decode.rs tests/corpus/record.rs tests/fixtures/make_books.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked ${CARGO_FLAGS} \
    && rm -rf src benches tests target/release/lockstep target/release/deps/*lockstep* target/release/.fingerprint/lockstep*

COPY build.rs ./
COPY src src
COPY benches benches
COPY tests/corpus/record.rs tests/corpus/record.rs
COPY tests/fixtures/make_books.rs tests/fixtures/make_books.rs
COPY clickhouse clickhouse
COPY pipelines pipelines
ARG REVISION=unknown
RUN LOCKSTEP_COMMIT=${REVISION} cargo build --release --locked ${CARGO_FLAGS}

# What the last stage needs is collected here, so that it needs neither a shell nor the network: the executable with its
# links, the libraries that the base does not have, and the CA bundle.
RUN set -eu; \
    mkdir -p /out/usr/local/bin /out/etc/ssl/certs; \
    target/release/lockstep link /out/usr/local/bin; \
    for library in $(ldd target/release/lockstep | awk '$1 ~ /^lib(ssl|crypto)\./ { print $3 }'); do \
        mkdir -p "/out/usr/lib/$(basename "$(dirname "$library")")"; \
        cp -L "$library" "/out/usr/lib/$(basename "$(dirname "$library")")/"; \
    done; \
    cp -L /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

FROM ${BASE_IMAGE}
COPY --from=build /out/ /
# DockerOperator takes the last line of stdout and stderr mixed for the result: both go to one stream, the summary last.
ENV SUMMARY=last-line \
    TZ=UTC
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/lockstep"]
CMD ["--help"]

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lockstep" \
      org.opencontainers.image.description="Bounded, exactly-once change-data-capture jobs: PostgreSQL, Debezium, Kafka to ClickHouse" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
