# Which database is captured, by which pipeline: Northwind, or one that is loaded from SOURCE_SQL. What was loaded is written down
# beside the data, so that later commands need not be told again.
# shellcheck shell=bash

SOURCE_SQL=${SOURCE_SQL:-} PIPELINE=${PIPELINE:-}
LOCKSTEP_BIN=${LOCKSTEP_BIN:-$ROOT/bin/lockstep}             # writes the pipeline
SOURCE_DB=northwind                                          # the database
PIPELINE_DIR=                                                # the pipeline's folder; none is Northwind, which is compiled in
CONNECTOR_FILE=$ROOT/connectors/debezium-northwind.json
OWN=$DATA/own-source                                         # the first two, of a source that is not Northwind

resolve_source() {
    if [[ -f $OWN ]]; then
        { IFS= read -r SOURCE_DB && IFS= read -r PIPELINE_DIR; } < "$OWN" || die "$OWN says no database and no folder: make wipe"
    elif [[ -n $SOURCE_SQL && ! -f $LOADED ]]; then
        SOURCE_DB=$(database_name "$SOURCE_SQL")
        PIPELINE_DIR=$STACK_STATE/pipeline
        if [[ -n $PIPELINE ]]; then
            PIPELINE_DIR=$(readlink -f "$PIPELINE")
            [[ -d $PIPELINE_DIR ]] || PIPELINE_DIR=$(dirname "$PIPELINE_DIR")
            SOURCE_DB=$(sed -nE '/^\[connector\]/,/^\[w/{'"s/^database *= *(\"([^\"]*)\"|'([^']*)').*/\2\3/p"'}' "$PIPELINE_DIR/lockstep.toml")
            [[ -n $SOURCE_DB ]] || die "no database in the section [connector] of $PIPELINE_DIR/lockstep.toml"
        fi
    fi
    [[ -z $PIPELINE_DIR ]] || CONNECTOR_FILE=$PIPELINE_DIR/connector.json
}

database_name() { # FILE: as it is called, in the letters of a name that needs no quotes
    local name
    name=$(basename "$1")
    name=$(tr '[:upper:]' '[:lower:]' <<< "${name%%.*}" | tr -c 'a-z0-9\n' _)
    [[ $name == [a-z]* ]] || name=db_$name
    printf '%s\n' "$name"
}

# All that a dump can be known to lack is said before anything is loaded.
check_own_source() {
    [[ -r $SOURCE_SQL ]] || die "cannot read SOURCE_SQL: $SOURCE_SQL"
    if ! is_archive "$SOURCE_SQL" && plain_text "$SOURCE_SQL" | grep -qE '^(\\connect|CREATE DATABASE) '; then
        die "$SOURCE_SQL makes databases of its own: write the dump of one database, without --create"
    fi
    [[ -x $LOCKSTEP_BIN ]] || die "the jobs are not built, and they write the pipeline: make build"
}

load_own_source() {
    sql postgres -c "CREATE DATABASE \"$SOURCE_DB\""
    make_owners
    if is_archive "$SOURCE_SQL"; then
        "$(pg_bin)/pg_restore" --exit-on-error --no-owner --no-privileges -p "$POSTGRES_PORT" -d "$SOURCE_DB" "$SOURCE_SQL" ||
            die "loading $SOURCE_SQL failed (message above)"
    else
        plain_text "$SOURCE_SQL" | sql "$SOURCE_DB" -f - || die "loading $SOURCE_SQL failed (message above)"
    fi
    if [[ -z $PIPELINE ]]; then
        note "writing the pipeline into $PIPELINE_DIR"
        rm -rf "$PIPELINE_DIR"
        POSTGRES_PASSWORD=$PGPASSWORD "$LOCKSTEP_BIN" init --from "postgres://$PGUSER@127.0.0.1:$POSTGRES_PORT/$SOURCE_DB" \
            "$PIPELINE_DIR" > "$LOG/init.json" || die "no pipeline can be made of $SOURCE_SQL (message above)"
    fi
    sql "$SOURCE_DB" -v connector_password=connector_password -v jobs_password=jobs_password -f "$PIPELINE_DIR/source.sql" ||
        die "$PIPELINE_DIR/source.sql failed (message above)"
    printf '%s\n' "$SOURCE_DB" "$PIPELINE_DIR" > "$OWN"
}

# Dumps hand their tables to roles that this cluster does not have: roles without a login will do.
make_owners() {
    local role name='("([^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
    is_archive "$SOURCE_SQL" || plain_text "$SOURCE_SQL" |
        sed -nE "s/^(ALTER|GRANT|REVOKE|CREATE POLICY) .* (OWNER TO|TO|FROM) ($name(, *$name)*)( WITH GRANT OPTION)?;\$/\3/p" |
        grep -oE "$name" | sort -u | { grep -viE '^(public|current_user|current_role|session_user)$' || true; } | # there may be none
        while read -r role; do
            sql postgres -c "CREATE ROLE $role NOLOGIN" 2> /dev/null || true # it is there
        done
    sql postgres -c 'CREATE ROLE postgres NOLOGIN' 2> /dev/null || true
}

is_archive() { # FILE: one of pg_dump --format=custom
    [[ $(head -c 5 "$1") == PGDMP ]]
}

plain_text() { # FILE
    case $1 in *.gz) zcat "$1" ;; *) cat "$1" ;; esac
}
