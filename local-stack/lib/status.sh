# What runs, where, and how well.
# shellcheck shell=bash

# Fails unless every server runs, and the connector too where there is one to expect.
print_status() {
    local server pid var ports all_well=0 line='%-11s %-13s %-8s %-26s %-8s %s\n'
    # shellcheck disable=SC2059  # the format is ours
    printf "$line" server port pid version memory state
    for server in "${SERVERS[@]}"; do
        ports=
        for var in ${PORTS_OF[$server]}; do ports+=${ports:+,}${!var}; done
        if pid=$(running_pid "$server"); then
            # shellcheck disable=SC2059
            printf "$line" "$server" "$ports" "$pid" "$(version "$server")" "$(memory "$pid")" "$(health "$server")"
        else
            # shellcheck disable=SC2059
            printf "$line" "$server" "$ports" - - - stopped
            all_well=1
        fi
    done
    return "$all_well"
}

version() { # SERVER
    local jar
    case $1 in
        postgres) "$(pg_bin)/postgres" --version | awk '{ print $3 }' ;;
        kafka) jar=$(echo "$DOWNLOADS"/jars/kafka_*.jar) && jar=${jar##*-} && printf '%s\n' "${jar%.jar}" ;;
        connect) jar=$(echo "$DOWNLOADS"/jars/debezium-connector-postgres-*.jar) && jar=${jar##*postgres-} && printf '%s\n' "Debezium ${jar%.jar}" ;;
        haproxy) "$(haproxy_bin)" -v | awk 'NR == 1 { print $3 }' ;;
        clickhouse) clickhouse_query 'SELECT version()' || echo '?' ;;
    esac
}

# Memory that is this server's alone or its share of what it has in common with others (Pss), children included.
memory() { # PID
    local files=("/proc/$1/smaps_rollup") child
    while read -r child; do files+=("/proc/$child/smaps_rollup"); done < <(children "$1")
    awk '$1 == "Pss:" { kb += $2 } END { printf "%d MB\n", kb / 1024 }' "${files[@]}" 2> /dev/null || echo '?'
}

health() { # SERVER
    local state
    if [[ $1 != connect ]]; then echo running; return; fi
    state=$(connector_tool state "$CONNECTOR_FILE" 2> /dev/null) || state=unreachable
    printf 'running, connector %s\n' "${state,,}"
}

# For jobs and tests: eval "$(local-stack/stack env)"
print_environment() {
    cat << END
export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$KAFKA_PORT
export POSTGRES_HOST=127.0.0.1 POSTGRES_PORT=$POSTGRES_PORT POSTGRES_DB=$(printf %q "$SOURCE_DB")
export POSTGRES_USER=app_user POSTGRES_PASSWORD=app_password
export CLICKHOUSE_HOST=127.0.0.1 CLICKHOUSE_PORT=$(if has_tls; then echo "$CLICKHOUSE_HTTPS_PORT"; else echo "$CLICKHOUSE_HTTP_PORT"; fi) CLICKHOUSE_USER=default CLICKHOUSE_PASSWORD=
export CONNECT_URL=$(scheme)://127.0.0.1:$CONNECT_PORT
END
    if ! has_tls && is_ours; then echo 'unset TLS TLS_CA_FILE CURL_CA_BUNDLE PGSSLMODE PGSSLROOTCERT'; fi
    # The second line is for curl and psql.
    ! has_tls || printf 'export %s\n' "TLS=verify-full TLS_CA_FILE=$(printf %q "$TLS_FILES/ca.pem")" \
        "CURL_CA_BUNDLE=$(printf %q "$TLS_FILES/ca.pem") PGSSLMODE=verify-full PGSSLROOTCERT=$(printf %q "$TLS_FILES/ca.pem")"
    [[ -z $PIPELINE_DIR ]] || printf 'export PIPELINE=%q\n' "$PIPELINE_DIR/lockstep.toml"
}
