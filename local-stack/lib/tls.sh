# Every link encrypted: make up TLS=1. An authority of this stack's own signs the one certificate that all its servers show. What is once
# encrypted stays so, until `wipe`.
# shellcheck shell=bash

WANTED_TLS=${TLS:-}
unset TLS # the jobs have a variable of that name, with other words
TLS_FILES=$STACK_STATE/tls

# The library's ClickHouse speaks no TLS: HAProxy does it for it. Its plain port stays open, on this machine alone.
if [[ $WANTED_TLS == 1 || -f $TLS_FILES/ca.pem ]]; then
    SERVERS+=(haproxy)
    PORTS_OF[haproxy]=CLICKHOUSE_HTTPS_PORT DEFAULT_PORT[CLICKHOUSE_HTTPS_PORT]=8443
fi

has_tls() { [[ -f $TLS_FILES/ca.pem ]]; }

# A shell that was told of an encrypted stack (`env`) asks for nothing by that, also when the stack is gone.
is_ours() { [[ ${TLS_CA_FILE:-} == "$TLS_FILES/ca.pem" ]]; }

scheme() { if has_tls; then echo https; else echo http; fi; }

# What is wanted, and what clients that are started from here have to know.
resolve_tls() {
    local server
    [[ -z $WANTED_TLS || $WANTED_TLS == 1 ]] || is_ours || die "TLS=$WANTED_TLS: write TLS=1, or nothing"
    if [[ $WANTED_TLS == 1 ]] && ! has_tls; then
        for server in "${SERVERS[@]}"; do
            ! running_pid "$server" > /dev/null || die "$server is running without TLS: '$0 down' first"
        done
        make_certificates
    fi
    if ! has_tls; then
        ! is_ours || unset PGSSLMODE PGSSLROOTCERT CURL_CA_BUNDLE TLS_CA_FILE
        return 0
    fi
    export PGSSLMODE=verify-full PGSSLROOTCERT=$TLS_FILES/ca.pem
    export CURL_CA_BUNDLE=$TLS_FILES/ca.pem NODE_EXTRA_CA_CERTS=$TLS_FILES/ca.pem
    export TLS=verify-full TLS_CA_FILE=$TLS_FILES/ca.pem
}

# Written under another name first: half a set is none.
make_certificates() {
    local new=$TLS_FILES.new
    rm -rf "$new"
    mkdir -p "$new"
    note "making certificates in $TLS_FILES"
    (
        cd "$new"
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=lockstep local stack' -keyout ca.key -out ca.pem
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server.pem \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
        # For the Java servers, which read PEM in some places only.
        openssl pkcs12 -export -in server.pem -inkey server.key -certfile ca.pem -name server -passout pass:changeit -out server.p12
        cat server.key server.pem > server.both
    ) > "$LOG/openssl.log" 2>&1 || { show_log openssl; die "openssl failed (log above)"; }
    chmod 644 "$new"/*.pem
    rm -rf "$TLS_FILES"
    mv "$new" "$TLS_FILES"
}

start_haproxy() {
    install_packages tls
    render "$HERE/conf/haproxy.cfg" CLICKHOUSE_HTTPS_PORT CLICKHOUSE_HTTP_PORT TLS_FILES > "$RUN/haproxy.cfg"
    launch haproxy "$(haproxy_bin)" -db -f "$RUN/haproxy.cfg"
}

await_haproxy() {
    await haproxy 20 curl -sf -m 5 "https://127.0.0.1:$CLICKHOUSE_HTTPS_PORT/ping"
}

haproxy_bin() { PATH=$PATH:/usr/sbin command -v haproxy; }
