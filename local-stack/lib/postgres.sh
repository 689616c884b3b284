# PostgreSQL: the source. A cluster with its data loaded is made whole or not at all.
# shellcheck shell=bash

export PGUSER=app_user PGPASSWORD=app_password PGHOST=127.0.0.1 PGCONNECT_TIMEOUT=5
NORTHWIND_SQL=${NORTHWIND_SQL:-} NORTHWIND_SCALE=${NORTHWIND_SCALE:-}
LOADED=$DATA/northwind.loaded # what the cluster was filled with; written last, so it also says that it is complete

# Before anything starts: data that is there is never replaced behind somebody's back, nor a wish silently ignored.
check_source() {
    local file=${SOURCE_SQL:-${NORTHWIND_SQL:-$ROOT/postgres/init/01_northwind.sql}} loaded_sum loaded_scale loaded_file
    if [[ ! -f $LOADED ]]; then
        if [[ -n $SOURCE_SQL ]]; then check_own_source; fi
        [[ -r $file ]] || die "cannot read NORTHWIND_SQL: $file"
        return
    fi
    read -r loaded_sum loaded_scale loaded_file < "$LOADED"
    if [[ -n $SOURCE_SQL$NORTHWIND_SQL && $(checksum "$file") != "$loaded_sum" ]]; then
        die "data is already loaded, from $loaded_file; to load $file in its place: make wipe, then make up"
    fi
    if [[ -n $NORTHWIND_SCALE && $NORTHWIND_SCALE != "$loaded_scale" ]]; then
        die "data is already loaded, at scale $loaded_scale; to load it at scale $NORTHWIND_SCALE: make wipe, then make up"
    fi
    if [[ $loaded_file == "$file" && $(checksum "$file") != "$loaded_sum" ]]; then
        note "$file has changed since it was loaded; to load it anew: make wipe, then make up"
    fi
}

start_postgres() {
    if [[ ! -f $LOADED ]]; then
        rm -rf "$DATA/postgres" # what a start left that was killed too hard to tidy up
        half_made+=("$DATA/postgres" "$RUN/postgres.password")
        make_cluster
    fi
    remove_stale_lock
    # The settings come from the checkout at every start; the port comes from the caller.
    install_for_postgres "$HERE/conf/postgresql.conf" "$DATA/postgres/postgresql.conf"
    install_for_postgres "$HERE/conf/pg_hba.conf" "$DATA/postgres/pg_hba.conf"
    if has_tls; then encrypt_postgres; fi
    as_postgres
    launch postgres "${AS_POSTGRES[@]}" "$(pg_bin)/postgres" -D "$DATA/postgres" -p "$POSTGRES_PORT"
}

# Nobody is let in without TLS.
encrypt_postgres() {
    install_for_postgres "$TLS_FILES/server.pem" "$DATA/postgres/server.crt"
    install_for_postgres "$TLS_FILES/server.key" "$DATA/postgres/server.key"
    printf 'ssl = on\n' >> "$DATA/postgres/postgresql.conf"
    sed -i 's/^host /hostssl /' "$DATA/postgres/pg_hba.conf"
}

# After a crash PostgreSQL takes its old lock file for a live one when that pid is in use again, or is a zombie that the
# container's first process never reaps. Who really works on the data stands in the data's folder.
remove_stale_lock() {
    local holder
    holder=$(find /proc/[0-9]*/cwd -lname "$DATA/postgres" -printf '%h\n' 2> /dev/null | head -n 1) || true
    [[ -z $holder ]] || die "another PostgreSQL works on $DATA/postgres: pid ${holder#/proc/}"
    rm -f "$DATA/postgres/postmaster.pid"
}

make_cluster() {
    local password=$RUN/postgres.password
    mkdir -p "$DATA/postgres"
    ((EUID != 0)) || chown postgres "$DATA/postgres"
    install_for_postgres <(printf '%s\n' "$PGPASSWORD") "$password"
    as_postgres
    "${AS_POSTGRES[@]}" "$(pg_bin)/initdb" -D "$DATA/postgres" -U "$PGUSER" --pwfile="$password" -A scram-sha-256 \
        -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions > "$LOG/initdb.log" 2>&1 9>&- ||
        { show_log initdb; die "initdb failed (log above)"; }
    rm -f "$password"
}

await_postgres() {
    await postgres 60 "$(pg_bin)/pg_isready" -q -d postgres -p "$POSTGRES_PORT"
    if [[ ! -f $LOADED ]]; then
        load_source
        half_made=()
    fi
}

load_source() {
    if [[ -z $SOURCE_SQL ]]; then
        load_northwind
    else
        load_own_source
        printf '%s %s %s\n' "$(checksum "$SOURCE_SQL")" default "$SOURCE_SQL" > "$LOADED"
    fi
}

load_northwind() {
    local file=${NORTHWIND_SQL:-$ROOT/postgres/init/01_northwind.sql} scale=()
    [[ -z $NORTHWIND_SCALE ]] || scale=(-v "scale=$NORTHWIND_SCALE")
    sql postgres -c 'CREATE DATABASE northwind'
    # Dumps like to hand their tables to `postgres`, which is not this cluster's superuser: a role without a login will do.
    sql postgres -c 'CREATE ROLE postgres NOLOGIN'
    sql northwind "${scale[@]}" -f "$file" || die "loading $file failed (message above)"
    sql northwind -f "$ROOT/postgres/init/02_replication_user.sql" || die "making the replication user failed (message above)"
    # Tests copy this in a tenth of a second each. It is taken now, as a database with a slot cannot be copied from.
    sql postgres -c 'CREATE DATABASE northwind_template TEMPLATE northwind' \
        -c 'ALTER DATABASE northwind_template WITH IS_TEMPLATE true ALLOW_CONNECTIONS false'
    printf '%s %s %s\n' "$(checksum "$file")" "${NORTHWIND_SCALE:-default}" "$file" > "$LOADED"
}

sql() { # DATABASE ARGUMENT…
    local database=$1
    shift
    "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 -p "$POSTGRES_PORT" -d "$database" "$@" > /dev/null
}

checksum() { # FILE
    local sum
    sum=$(sha256sum < "$1") && printf '%s\n' "${sum%% *}"
}

# PostgreSQL refuses to run as root: AS_POSTGRES is what makes its commands run as its own user, if we are root.
# That user may not be allowed into the folder where the checkout lies (a home folder, say). It is given the one
# capability that lets it look into folders, and only then; what it may write stays what it owns.
as_postgres() {
    local capability capabilities
    AS_POSTGRES=()
    ((EUID == 0)) || return 0
    AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups)
    "${AS_POSTGRES[@]}" stat "$DATA/postgres/." > /dev/null 2>&1 && return
    for capability in dac_read_search dac_override; do # a container may have been left only the second
        capabilities=("--inh-caps=+$capability" "--ambient-caps=+$capability")
        if "${AS_POSTGRES[@]}" "${capabilities[@]}" stat "$DATA/postgres/." > /dev/null 2>&1; then
            AS_POSTGRES+=("${capabilities[@]}")
            return
        fi
    done
    die "user postgres cannot reach $DATA/postgres: choose another place with STACK_STATE"
}

install_for_postgres() { # SOURCE TARGET
    if ((EUID == 0)); then install -m 600 -o postgres "$1" "$2"; else install -m 600 "$1" "$2"; fi
}

# PostgreSQL 15 where it is installed, else the newest that is.
pg_bin() {
    local bin version
    for bin in /usr/lib/postgresql/15/bin $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr); do
        version=${bin%/bin} version=${version##*/}
        if [[ -x $bin/postgres && -x $bin/psql ]] && ((version >= 15)); then
            printf '%s\n' "$bin"
            return
        fi
    done
    return 1
}
