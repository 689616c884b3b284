# Kafka Connect with Debezium, and the connector that reads northwind.
# shellcheck shell=bash

start_connect() {
    render "$HERE/conf/connect.properties" KAFKA_PORT CONNECT_PORT > "$RUN/connect.properties"
    launch_jvm connect "${CONNECT_HEAP:-512m}" org.apache.kafka.connect.cli.ConnectDistributed "$RUN/connect.properties"
}

await_connect() {
    await connect 120 curl -sf -m 5 "http://127.0.0.1:$CONNECT_PORT/connectors"
}

# Registers or updates the connector, and waits until its task streams and the whole snapshot is in the topics.
# `wait` follows the task's state and the offsets that Connect has stored; after a crash the state may still be the old
# worker's, so that the slot has the last word: it is active only while a task streams, which it does after the snapshot.
connector() {
    local deadline=$((SECONDS + 120))
    connector_tool register "$ROOT/connectors/debezium-northwind.json" 127.0.0.1 "$POSTGRES_PORT"
    connector_tool wait "$ROOT/connectors/debezium-northwind.json" 120
    until slot_is_active; do
        ((SECONDS < deadline)) || { show_log connect; die "the connector does not stream (log above)"; }
        sleep 0.2
        connector_tool wait "$ROOT/connectors/debezium-northwind.json" 10
    done
}

connector_tool() { # COMMAND ARGUMENT…
    CONNECT_URL=http://127.0.0.1:$CONNECT_PORT node "$HERE/lib/connector.mjs" "$@"
}

slot_is_active() {
    local slot
    slot=$(connector_tool setting "$ROOT/connectors/debezium-northwind.json" slot.name)
    [[ $("$(pg_bin)/psql" -X -At -p "$POSTGRES_PORT" -d northwind \
        -c "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'") == t ]]
}
