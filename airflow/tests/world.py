"""The servers as the end-to-end tests see them: Airflow over REST, PostgreSQL, ClickHouse, and the jobs that are running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psycopg2

AIRFLOW = os.environ["AIRFLOW__API__BASE_URL"]


def wait_for(what, condition, seconds=120):
    """Polls until the condition holds (is truthy), and returns what it said."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if said := condition():
            return said
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


# --- Airflow -------------------------------------------------------------------------------------------------------------


class Airflow:
    def __init__(self):
        passwords = json.loads(Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text())
        login = {"username": "admin", "password": passwords["admin"]}
        self.token = self.call("POST", "/auth/token", login)["access_token"]

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(AIRFLOW + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def get(self, path, **query):
        return self.call("GET", f"/api/v2{path}?{urllib.parse.urlencode(query)}")

    def trigger(self, dag_id, **conf):
        """Starts a run, as a script would: over REST."""
        self.pause(dag_id, False)
        run = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        return Run(self, dag_id, run["dag_run_id"])

    def pause(self, dag_id, paused):
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": paused})

    def newest_run(self, dag_id, **query):
        runs = self.get(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=1, **query)["dag_runs"]
        return Run(self, dag_id, runs[0]["dag_run_id"]) if runs else None


class Run:
    def __init__(self, airflow, dag_id, run_id):
        self.airflow, self.dag_id, self.run_id = airflow, dag_id, run_id
        self.path = f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id)}"

    def state(self):
        return self.airflow.get(self.path)["state"]

    def end(self, seconds=400):
        wait_for(f"the end of {self.run_id}", lambda: self.state() in ("success", "failed"), seconds)
        return self.state()

    def tasks(self):
        """By name; those of a mapped task are called NAME[0], NAME[1] …"""
        tasks = self.airflow.get(f"{self.path}/taskInstances", limit=100)["task_instances"]
        return {task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else ""): task for task in tasks}

    def states(self):
        return {name: task["state"] for name, task in self.tasks().items()}

    def xcom(self, task_id, key="return_value", map_index=-1):
        return self.airflow.get(f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}", map_index=map_index)["value"]

    def log(self, task_id, attempt=1):
        content = self.airflow.get(f"{self.path}/taskInstances/{task_id}/logs/{attempt}")["content"]
        return "\n".join(str(entry.get("event", entry)) for entry in content)


# --- source and warehouse ----------------------------------------------------------------------------------------------


def connect():
    names = {"host": "HOST", "port": "PORT", "dbname": "DB", "user": "USER", "password": "PASSWORD"}
    connection = psycopg2.connect(**{name: os.environ[f"POSTGRES_{variable}"] for name, variable in names.items()})
    connection.autocommit = True
    return connection


def source(statement):
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def published(statement):
    """Changes the source, and waits until the connector has brought the change to Kafka."""
    source(statement)
    [[lsn]] = source("SELECT pg_current_wal_insert_lsn()")
    slot = f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots WHERE slot_name = 'northwind_slot'"
    wait_for("the connector", lambda: source(slot) == [(True,)], 60)


@contextmanager
def locked(table):
    """Whoever looks something up in this table waits, for up to five seconds: a job in the middle of its work."""
    connection = connect()
    connection.autocommit = False
    connection.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def warehouse(query):
    url = f"http://{os.environ['CLICKHOUSE_HOST']}:{os.environ['CLICKHOUSE_PORT']}/?mutations_sync=2"
    request = urllib.request.Request(url, data=f"{query}\n".encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [line.split("\t") for line in answer.read().decode().splitlines()]


# --- jobs that are running -----------------------------------------------------------------------------------------------


class Container:
    """A running job, RUNNER=docker."""

    def __init__(self, run, task_id, attempt=1):
        filters = {"lockstep.run": run.run_id, "lockstep.task": task_id, "lockstep.try": attempt}
        self.filters = [word for label, value in filters.items() for word in ("--filter", f"label={label}={value}")]
        self.id = wait_for(f"{task_id} running", lambda: docker("ps", "-q", *self.filters).strip(), 90)

    def pause(self):
        docker("pause", self.id)

    def resume(self):
        docker("unpause", self.id)

    def stop(self):
        docker("stop", self.id)

    def is_there(self):
        return bool(docker("ps", "-aq", *self.filters).strip())


class Process:
    """A running job, RUNNER=local."""

    def __init__(self, run, task_id, attempt=1):
        job = task_id.replace("_", "-")
        marks = [
            f"AIRFLOW_CTX_DAG_RUN_ID={run.run_id}",
            f"AIRFLOW_CTX_TASK_ID={task_id}",
            f"AIRFLOW_CTX_TRY_NUMBER={attempt}",
        ]

        def found():
            for entry in Path("/proc").iterdir():
                try:
                    words = (entry / "cmdline").read_bytes().decode().split("\0")
                    environment = (entry / "environ").read_bytes().decode().split("\0")
                except (OSError, UnicodeDecodeError):
                    continue
                if words[0].endswith("lockstep") and job in words and set(marks) <= set(environment):
                    return int(entry.name)
            return None

        self.pid = wait_for(f"{task_id} running", found, 90)

    def pause(self):
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.pid, signal.SIGCONT)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        wait_for("its end", lambda: not self.is_there(), 30)

    def is_there(self):
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] not in "ZX"


running = Container if os.environ["RUNNER"] == "docker" else Process


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, check=True, text=True).stdout


def kill_worker(run, task_id):
    """SIGKILL to the process that runs the task, and to the worker that it belongs to: neither can tidy up."""
    pid = int(run.tasks()[task_id]["pid"])
    worker = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for victim in (worker, pid):
        os.kill(victim, signal.SIGKILL)
