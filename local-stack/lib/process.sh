# Starting, watching and ending servers by their own process ids, never by name.
# shellcheck shell=bash
#
# RUN/NAME.pid holds "PID START PORT…". START is the kernel's start time of that pid: a pid that was reused after a
# crash or a reboot belongs to somebody else and has another one.

started=()     # servers launched by this invocation, in order
half_made=()   # data that is of no use unless this invocation finishes it
pending=       # a signal that came while a server was being launched

# Start time of a living process, in ticks since boot. A zombie is not alive: in a container nobody may ever reap it.
start_time() { # PID
    local line fields
    { read -r line < "/proc/$1/stat"; } 2> /dev/null || return 1
    read -ra fields <<< "${line##*) }" # what stands before may hold blanks: the command's name
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s\n' "${fields[19]}"
}

running_pid() { # NAME
    local pid start now
    { read -r pid start _ < "$RUN/$1.pid"; } 2> /dev/null || return 1
    now=$(start_time "$pid") && [[ $now == "$start" ]] || return 1
    printf '%s\n' "$pid"
}

children() { # PID
    local stat fields
    for stat in /proc/[0-9]*/stat; do
        { read -r line < "$stat"; } 2> /dev/null || continue
        read -ra fields <<< "${line##*) }"
        [[ ${fields[1]} != "$1" ]] || printf '%s\n' "${line%% *}"
    done
}

launch() { # NAME COMMAND…
    local name=$1 pid var ports=()
    shift
    for var in ${PORTS_OF[$name]}; do ports+=("${!var}"); done
    [[ ! -f $LOG/$name.log ]] || mv -f "$LOG/$name.log" "$LOG/$name.log.1"
    # A Ctrl-C between the start and the record would leave a server that nobody knows: it has to wait that long.
    trap 'pending=130' INT TERM HUP
    setsid "$@" > "$LOG/$name.log" 2>&1 < /dev/null 9>&- &
    pid=$!
    disown "$pid"
    started+=("$name")
    printf '%s\n' "$pid $(start_time "$pid") ${ports[*]}" > "$RUN/$name.pid"
    exit_on_signals
    [[ -z $pending ]] || exit "$pending"
}

exit_on_signals() {
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# Polls until the command succeeds; ends with the log's last lines when the server dies or does not get there.
await() { # NAME SECONDS COMMAND…
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" > /dev/null 2>&1; do
        running_pid "$name" > /dev/null || { show_log "$name"; die "$name ended while starting (log above)"; }
        ((SECONDS < deadline)) || { show_log "$name"; die "$name is not ready in time (log above)"; }
        sleep 0.05
    done
}

show_log() { # NAME
    tail -n 15 "$LOG/$1.log" 2> /dev/null | sed 's/^/  | /' >&2
}

stop_servers() { # NAME…
    local name pid signal stopping=()
    for name in "$@"; do
        pid=$(running_pid "$name") || { forget "$name"; continue; }
        signal=TERM
        [[ $name != postgres ]] || signal=INT # "fast": TERM would wait for every client to leave
        kill -s "$signal" "$pid" 2> /dev/null || true
        stopping+=("$name $pid")
    done
    for name in "${stopping[@]}"; do
        pid=${name#* } name=${name% *}
        if gone "$pid" 40; then keep_class_archive "$name"; else kill_server "$name"; fi
        forget "$name"
        note "$name stopped"
    done
}

# What a test needs to see a server die: no signal that could be handled, and nothing of it left afterwards.
kill_server() { # NAME
    local pid child family
    pid=$(running_pid "$1") || { forget "$1"; return 0; }
    mapfile -t family < <(children "$pid")
    kill -KILL "$pid" 2> /dev/null || true
    # PostgreSQL's processes leave by themselves and tidy up their shared memory; chserver's child would linger.
    [[ $1 == postgres ]] || kill -KILL "${family[@]}" 2> /dev/null || true
    for child in "$pid" "${family[@]}"; do
        gone "$child" 10 || kill -KILL "$child" 2> /dev/null || true
    done
    forget "$1"
}

gone() { # PID SECONDS
    local deadline=$((SECONDS + $2))
    while start_time "$1" > /dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

forget() { # NAME
    drop_class_archive "$1"
    rm -f "$RUN/$1.pid"
}

# After a start that did not succeed nothing is left running or half-made.
undo_on_failure() {
    trap undo EXIT
    exit_on_signals
}

undo() {
    local status=$? i name
    trap '' INT TERM HUP
    if ((status != 0)); then
        for ((i = ${#started[@]} - 1; i >= 0; i--)); do
            name=${started[i]}
            # A JVM that stops in an orderly way writes its class archive, and this one may not have been ready.
            if [[ $name == kafka || $name == connect ]]; then kill_server "$name"; else stop_servers "$name"; fi
        done
        ((${#half_made[@]} == 0)) || rm -rf "${half_made[@]}"
        ((${#started[@]} == 0)) || note "stopped again what this start had begun: ${started[*]}"
    fi
    exit "$status"
}

# Is anything listening where a server of ours would have to (127.0.0.1 or every address)? Prints the socket's inode.
listener() { # PORT
    awk -v port="$(printf %04X "$1")" '
        BEGIN {
            any["00000000"]; any["00000000000000000000000000000000"]
            any["0100007F"]; any["0000000000000000FFFF00000100007F"]
        }
        $4 == "0A" { split($2, at, ":"); if (at[2] == port && at[1] in any) { print $10; exit } }
    ' /proc/net/tcp /proc/net/tcp6 2> /dev/null
}

refuse_taken_ports() { # NAME
    local var inode holder
    for var in ${PORTS_OF[$1]}; do
        inode=$(listener "${!var}")
        [[ -n $inode ]] || continue
        holder=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -printf '%h\n' 2> /dev/null | head -n 1) || true
        if [[ -n $holder ]]; then
            holder=${holder%/fd}
            holder="pid ${holder#/proc/} ($(tr '\0' ' ' < "$holder/cmdline" | cut -c 1-80))"
        fi
        # Below 32768, from where on the kernel lends ports to outgoing connections.
        die "port ${!var} for $1 is in use by ${holder:-a process of another user}; choose another: $var=$((${!var} + 1000))"
    done
}
