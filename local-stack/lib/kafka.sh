# Kafka: one broker that is its own controller (KRaft).
# shellcheck shell=bash

start_kafka() {
    mkdir -p "$DATA/kafka"
    [[ -f $DATA/kafka/meta.properties ]] || format_kafka
    render "$HERE/conf/kafka.properties" DATA KAFKA_PORT KAFKA_CONTROLLER_PORT > "$RUN/kafka.properties"
    if [[ -n ${KAFKA_SASL_PORT:-} ]]; then
        render "$HERE/conf/kafka-sasl.properties" KAFKA_PORT KAFKA_CONTROLLER_PORT KAFKA_SASL_PORT >> "$RUN/kafka.properties"
    fi
    if has_tls; then render "$HERE/conf/kafka-tls.properties" TLS_FILES >> "$RUN/kafka.properties"; fi
    launch_jvm kafka "${KAFKA_HEAP:-384m}" kafka.Kafka "$RUN/kafka.properties"
}

# What `kafka-storage format` writes, without its JVM: `install` has had it format a folder once. Only the ids must be
# new, so that no client takes this cluster for the one that was wiped.
format_kafka() {
    cp "$DOWNLOADS/kafka-format/bootstrap.checkpoint" "$DATA/kafka/"
    printf '%s\n' version=1 "cluster.id=$(kafka_id)" node.id=1 "directory.id=$(kafka_id)" > "$DATA/kafka/meta.properties.new"
    mv "$DATA/kafka/meta.properties.new" "$DATA/kafka/meta.properties"
}

kafka_id() { head -c 16 /dev/urandom | base64 | tr '+/' AB | tr -d =; }

await_kafka() {
    # The port opens a little earlier, when the broker still has no place in its own cluster.
    await kafka 90 grep -q 'Kafka Server started' "$LOG/kafka.log"
}
