# Where things are, which ports they use, and how to say what went wrong.
# Sourced by ../stack; ROOT (the checkout) and HERE (local-stack/) are set there.
# shellcheck shell=bash

# One clock for every process that is started from here.
export TZ=UTC LC_ALL=C.UTF-8

# Downloads and class archives are shared by all instances; data, records and logs belong to one.
DOWNLOADS=$ROOT/.stack/downloads
CDS=$ROOT/.stack/cds
STACK_STATE=${STACK_STATE:-$ROOT/.stack}
[[ $STACK_STATE == /* ]] || STACK_STATE=$PWD/$STACK_STATE
DATA=$STACK_STATE/data RUN=$STACK_STATE/run LOG=$STACK_STATE/log

SERVERS=(postgres kafka connect clickhouse)
declare -A PORTS_OF=(
    [postgres]=POSTGRES_PORT
    [kafka]="KAFKA_PORT KAFKA_CONTROLLER_PORT"
    [connect]=CONNECT_PORT
    [clickhouse]="CLICKHOUSE_HTTP_PORT CLICKHOUSE_TCP_PORT"
)
declare -A DEFAULT_PORT=(
    [POSTGRES_PORT]=5432
    [KAFKA_PORT]=29092 [KAFKA_CONTROLLER_PORT]=29093
    [CONNECT_PORT]=8083
    [CLICKHOUSE_HTTP_PORT]=8123 [CLICKHOUSE_TCP_PORT]=9000
)

note() { printf 'stack: %s\n' "$*" >&2; }
die() { note "$@"; exit 1; }

includes() { # NAME LIST…
    local name=$1 other
    shift
    for other in "$@"; do [[ $other != "$name" ]] || return 0; done
    return 1
}

# A running server's ports are those it runs on, so that `status`, `env` and `up` find an instance that was started on
# other ports without being told them again; any other port is the one asked for, else the default.
resolve_ports() {
    local server var i recorded
    for server in "${SERVERS[@]}"; do
        recorded=()
        if running_pid "$server" > /dev/null; then read -ra recorded < "$RUN/$server.pid"; fi
        i=2
        for var in ${PORTS_OF[$server]}; do
            if [[ -n ${!var:-} && -n ${recorded[i]:-} && ${!var} != "${recorded[i]}" ]]; then
                moved+=("$server is running on port ${recorded[i]}, not on $var=${!var}: '$0 down $server' first")
            fi
            printf -v "$var" %s "${recorded[i]:-${!var:-${DEFAULT_PORT[$var]}}}"
            i=$((i + 1))
        done
    done
}
moved=() # wishes that a running server stands against

# TEMPLATE → stdout, with every @NAME@ replaced by that variable.
render() { # TEMPLATE NAME…
    local text name
    text=$(< "$1")
    shift
    for name in "$@"; do text=${text//"@$name@"/"${!name}"}; done
    printf '%s\n' "$text"
}

# One instance is changed by one command at a time; servers are started without this descriptor (see launch).
lock_state() {
    mkdir -p "$DATA" "$RUN" "$LOG"
    exec 9> "$STACK_STATE/lock"
    flock -n 9 || { note "another command is at work on $STACK_STATE, waiting for it"; flock 9; }
}
