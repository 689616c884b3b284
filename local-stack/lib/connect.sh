# Kafka Connect with Debezium, and the connector that reads the source.
# shellcheck shell=bash

start_connect() {
    render "$HERE/conf/connect.properties" KAFKA_PORT CONNECT_PORT > "$RUN/connect.properties"
    if has_tls; then render "$HERE/conf/connect-tls.properties" CONNECT_PORT TLS_FILES >> "$RUN/connect.properties"; fi
    launch_jvm connect "${CONNECT_HEAP:-512m}" org.apache.kafka.connect.cli.ConnectDistributed "$RUN/connect.properties"
}

await_connect() {
    await connect 120 curl -sf -m 5 "$(scheme)://127.0.0.1:$CONNECT_PORT/connectors"
}

# Registers or updates the connector, and waits until its task streams and the whole snapshot is in the topics.
# `wait` follows the task's state and the offsets that Connect has stored; after a crash the state may still be the old
# worker's, so that the slot has the last word: it is active only while a task streams, which it does after the snapshot.
connector() {
    local deadline=$((SECONDS + 120))
    connector_tool register "$CONNECTOR_FILE" 127.0.0.1 "$POSTGRES_PORT"
    connector_tool wait "$CONNECTOR_FILE" 120
    until slot_is_active; do
        ((SECONDS < deadline)) || { show_log connect; die "the connector does not stream (log above)"; }
        sleep 0.2
        connector_tool wait "$CONNECTOR_FILE" 10
    done
}

connector_tool() { # COMMAND ARGUMENT…
    # A pipeline that `init` wrote has no password in its file.
    local password=
    [[ -z $PIPELINE_DIR ]] || password=connector_password
    CONNECTOR_PASSWORD=$password CONNECT_URL=$(scheme)://127.0.0.1:$CONNECT_PORT node "$HERE/lib/connector.mjs" "$@"
}

slot_is_active() {
    local slot
    slot=$(connector_tool setting "$CONNECTOR_FILE" slot.name)
    [[ $("$(pg_bin)/psql" -X -At -p "$POSTGRES_PORT" -d "$SOURCE_DB" \
        -c "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'") == t ]]
}
