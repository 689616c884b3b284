# Airflow: its virtual environment, its settings, its processes.
# shellcheck shell=bash

PROCESSES=(airflow_api airflow_scheduler airflow_dags)
SERVERS+=(airflow_api) # its port is asked for and recorded as those of the servers are
PORTS_OF[airflow_api]=AIRFLOW_PORT PORTS_OF[airflow_scheduler]='' PORTS_OF[airflow_dags]=''
DEFAULT_PORT[AIRFLOW_PORT]=8080

AIRFLOW=$DATA/airflow
VENV=$DOWNLOADS/airflow
LOCKSTEP_BIN=${LOCKSTEP_BIN:-$ROOT/bin/lockstep}
LOCKSTEP_IMAGE=${LOCKSTEP_IMAGE:-lockstep}
RUNNER=${RUNNER:-}

# --- installing --------------------------------------------------------------------------------------------------------

airflow_installed() { cmp -s "$ROOT/airflow/requirements.lock" "$VENV/installed-from"; }

install_airflow() {
    mkdir -p "$DOWNLOADS"
    exec 8> "$DOWNLOADS/lock"
    flock 8
    if ! airflow_installed; then
        python_will_do || install_packages airflow
        python_will_do || die "Airflow needs Python 3.11 or newer with its venv module; python3 is $(python3 --version 2>&1)"
        note "installing Airflow (one to two minutes)"
        rm -rf "$VENV"
        python3 -m venv "$VENV"
        # pip also compiles: without the bytecode every task would spend seconds on it, again and again.
        "$VENV/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$ROOT/airflow/requirements.lock" \
            > "$DOWNLOADS/pip.log" 2>&1 || { tail -n 10 "$DOWNLOADS/pip.log" >&2; die "pip could not install airflow/requirements.lock"; }
        cp "$ROOT/airflow/requirements.lock" "$VENV/installed-from"
    fi
    exec 8>&-
}

python_will_do() { python3 -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; }

# The newest versions that requirements.in allows, for every Python from 3.11 on.
write_requirements_lock() {
    local tools
    tools=$(mktemp -d)
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
    (cd "$ROOT/airflow" && "$tools/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command 'local-stack/airflow lock' requirements.in -o requirements.lock)
    rm -rf "$tools"
    note "written: airflow/requirements.lock"
}

# --- settings ------------------------------------------------------------------------------------------------------------

# Makes the secrets at the first start, and exports everything that Airflow and the jobs have to know.
load_settings() {
    local jwt api_key
    make_secrets
    { read -r jwt && read -r api_key; } < "$AIRFLOW/secrets"
    resolve_source
    eval "$(print_environment)"
    # The DAGs are made of the jobs of the pipeline that is captured.
    if [[ -n $PIPELINE_DIR ]]; then
        export LOCKSTEP_JOBS=$AIRFLOW/jobs.json
        "$LOCKSTEP_BIN" jobs > "$LOCKSTEP_JOBS"
        # A container would not find the pipeline's file.
        RUNNER=${RUNNER:-local}
    fi
    choose_runner
    export AIRFLOW_HOME=$AIRFLOW
    export AIRFLOW__CORE__DAGS_FOLDER=$ROOT/airflow/dags AIRFLOW__CORE__PLUGINS_FOLDER=$ROOT/airflow/plugins
    export AIRFLOW__CORE__EXECUTOR=LocalExecutor AIRFLOW__CORE__PARALLELISM=${AIRFLOW__CORE__PARALLELISM:-8}
    export AIRFLOW__CORE__LOAD_EXAMPLES=False
    export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=${AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION:-False}
    export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=admin:admin
    export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=$AIRFLOW/passwords.json
    export AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$AIRFLOW_PORT/execution/
    export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://airflow:airflow@127.0.0.1:$POSTGRES_PORT/airflow
    export AIRFLOW__API__HOST=127.0.0.1 AIRFLOW__API__PORT=$AIRFLOW_PORT AIRFLOW__API__WORKERS=1
    export AIRFLOW__API__BASE_URL=http://127.0.0.1:$AIRFLOW_PORT
    export AIRFLOW__API__SECRET_KEY=$api_key AIRFLOW__API_AUTH__JWT_SECRET=$jwt
    # A worker that was killed is noticed after this long (default: five minutes), and its task is tried again.
    export AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=60
    # The DAGs change with a checkout: nothing is gained by reading them every few seconds.
    export AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL=60 AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL=60
    export AIRFLOW__LOGGING__BASE_LOG_FOLDER=$LOG/airflow
    export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
    export LOCKSTEP_BIN LOCKSTEP_IMAGE RUNNER
    # Compiled DAGs belong to this instance, not into the checkout.
    export PYTHONDONTWRITEBYTECODE='' PYTHONPYCACHEPREFIX=$AIRFLOW/pycache
}

settings_names() { compgen -e | grep -E '^(AIRFLOW_|KAFKA_|POSTGRES_|CLICKHOUSE_|CONNECT_|LOCKSTEP_|NORTHWIND_|TLS|PIPELINE$|RUNNER$|DOCKER_HOST$|PYTHON(DONT|PYC))'; }

make_secrets() {
    mkdir -p "$AIRFLOW" "$LOG/airflow"
    (
        umask 077
        [[ -f $AIRFLOW/secrets ]] || { random_text 32; random_text 32; } > "$AIRFLOW/secrets"
        if [[ -n ${AIRFLOW_PASSWORD:-} || ! -f $AIRFLOW/passwords.json ]]; then
            printf '{"admin": "%s"}\n' "${AIRFLOW_PASSWORD:-$(random_text 6)}" > "$AIRFLOW/passwords.json"
        fi
    )
}

random_text() { # BYTES
    od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'
    echo
}

password() { sed 's/.*: "\(.*\)".*/\1/' "$AIRFLOW/passwords.json"; }

# An instance that is running keeps the runner that it was started with.
choose_runner() {
    local recorded
    recorded=$(recorded_runner)
    [[ -z $recorded || -z $RUNNER || $RUNNER == "$recorded" ]] ||
        die "Airflow is running with RUNNER=$recorded: '$HERE/airflow down' first"
    RUNNER=${RUNNER:-$recorded}
    eval "$("$HERE/docker" env)"
    if [[ -z $RUNNER ]]; then
        RUNNER=local
        if has docker && docker image inspect "$LOCKSTEP_IMAGE" > /dev/null 2>&1; then RUNNER=docker; fi
    fi
    [[ $RUNNER == local || $RUNNER == docker ]] || die "RUNNER is docker or local, not '$RUNNER'"
    [[ $RUNNER == local ]] || docker image inspect "$LOCKSTEP_IMAGE" > /dev/null 2>&1 ||
        die "RUNNER=docker needs an engine that has the image $LOCKSTEP_IMAGE: make image"
}

recorded_runner() {
    if running_pid airflow_scheduler > /dev/null && [[ -f $AIRFLOW/runner ]]; then cat "$AIRFLOW/runner"; fi
}

# --- database --------------------------------------------------------------------------------------------------------------

make_database() {
    local known=$AIRFLOW/database
    if ! cmp -s "$ROOT/airflow/requirements.lock" "$known" || ! database_answers; then
        sql postgres -c "DO 'BEGIN CREATE ROLE airflow LOGIN PASSWORD ''airflow''; EXCEPTION WHEN duplicate_object THEN END'"
        database_answers || sql postgres -c 'CREATE DATABASE airflow OWNER airflow'
        note "making Airflow's database"
        "$VENV/bin/airflow" db migrate > "$LOG/airflow-db.log" 2>&1 || { show_log airflow-db; die "airflow db migrate failed (log above)"; }
        cp "$ROOT/airflow/requirements.lock" "$known"
    fi
    printf '%s\n' "$RUNNER" > "$AIRFLOW/runner"
}

database_answers() { sql airflow -c 'SELECT 1' 2> /dev/null; }

# --- processes -----------------------------------------------------------------------------------------------------------

start_airflow_api() { launch airflow_api "$VENV/bin/airflow" api-server; }
# Its log server would listen on every address; the UI reads the files themselves.
start_airflow_scheduler() { launch airflow_scheduler "$VENV/bin/airflow" scheduler --skip-serve-logs; }
start_airflow_dags() { launch airflow_dags "$VENV/bin/airflow" dag-processor; }

healthy() {
    curl -sf -m 5 "http://127.0.0.1:$AIRFLOW_PORT/api/v2/monitor/health" | "$VENV/bin/python" -c '
import json, sys
health = json.load(sys.stdin)
sys.exit(any(health[part]["status"] != "healthy" for part in ("metadatabase", "scheduler", "dag_processor")))'
}

dags_are_there() {
    [[ $("$(pg_bin)/psql" -X -At -p "$POSTGRES_PORT" -d airflow -c 'SELECT count(*) FROM serialized_dag') -ge \
        $(grep -lE '^with DAG\(' "$ROOT"/airflow/dags/*.py | wc -l) ]]
}

# A scheduler that is told to stop waits for its tasks: they are told so too, each with what it has started.
stop_processes() {
    local process pid
    for process in airflow_scheduler airflow_dags airflow_api; do
        pid=$(running_pid "$process") || { forget "$process"; continue; }
        kill -TERM "$pid" 2> /dev/null || true
        if ! gone "$pid" 15; then
            kill -TERM -- "-$pid" 2> /dev/null || true
            gone "$pid" 15 || kill -KILL -- "-$pid" 2> /dev/null || true
        fi
        # Whatever of its group has outlived it.
        kill -KILL -- "-$pid" 2> /dev/null || true
        forget "$process"
        note "$process stopped"
    done
}
