# ClickHouse: the library that the npm package brings, run as a server by chserver.c.
# shellcheck shell=bash

start_clickhouse() {
    mkdir -p "$DATA/clickhouse"
    render "$HERE/conf/clickhouse.xml" DATA RUN LOG CLICKHOUSE_HTTP_PORT CLICKHOUSE_TCP_PORT > "$RUN/clickhouse.xml"
    cp "$HERE/conf/clickhouse-users.xml" "$RUN/"
    # `system` is kept in memory here, but its log tables leave folders that the next start would stumble over.
    rm -rf "$DATA/clickhouse/data/system"
    launch clickhouse "$DOWNLOADS/chserver" "$LIBCHDB" "$DATA/clickhouse" \
        --config-file="$RUN/clickhouse.xml" --log-level=warning # the level in the configuration has no effect
}

await_clickhouse() {
    await clickhouse 60 clickhouse_is_ours
}

# /ping would also be answered by a stranger on that port.
clickhouse_is_ours() {
    [[ $(clickhouse_query "SELECT path FROM system.disks WHERE name = 'default'") == "$DATA/clickhouse/"* ]]
}

clickhouse_query() { # SQL
    curl -sf -m 5 "http://127.0.0.1:$CLICKHOUSE_HTTP_PORT/" --data-binary "$1"
}
