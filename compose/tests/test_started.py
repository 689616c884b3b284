"""docker-compose.yml, started: the commands of docs/guides/compose.md, and what must not be possible. `run` sets the scene."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request

import pytest
from test_file import JOBS, ONCE, ROOT, SERVERS

AIRFLOW = f"http://127.0.0.1:{os.environ['AIRFLOW_PORT']}"


def compose(*arguments, check=True, **kwargs):
    command = ["docker", "compose", "--profile", "*", *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **kwargs)
    assert ran.returncode == 0 or not check, f"{' '.join(arguments)}: {ran.stdout}{ran.stderr}"
    return ran


def job(name, *flags, exit=0):
    """As a person types it, with everything started; returns the summary."""
    ran = compose("run", "--rm", "-T", "--no-deps", name, *flags, check=False)
    assert ran.returncode == exit, f"{name}: {ran.stdout}{ran.stderr}"
    return json.loads(ran.stdout.splitlines()[-1])


def psql(statement):
    return compose(
        "exec", "-T", "postgres", "psql", "-U", "app_user", "-d", "northwind", "-Atc", statement
    ).stdout.strip()


def kafka(tool, *arguments, **kwargs):
    return compose(
        "exec", "-T", "kafka", f"/opt/kafka/bin/{tool}.sh", "--bootstrap-server", "kafka:9092", *arguments, **kwargs
    ).stdout


def clickhouse(query):
    url = f"http://127.0.0.1:{os.environ['CLICKHOUSE_PORT']}/"
    password = (ROOT / ".secrets/clickhouse_password").read_text()
    headers = {"X-ClickHouse-User": "etl", "X-ClickHouse-Key": password}
    with urllib.request.urlopen(urllib.request.Request(url, query.encode(), headers), timeout=30) as answer:
        return answer.read().decode().strip()


def containers():
    ids = compose("ps", "-aq").stdout.split()
    inspected = subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True, text=True).stdout
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in json.loads(inspected)}


@pytest.fixture(scope="module", autouse=True)
def started():
    """From nothing: whoever types only this has the servers, the snapshot and the tables first."""
    ran = subprocess.run(
        ["docker", "compose", "run", "--rm", "-T", "ingest-customers", "--max-records", "10000"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["written"] == 91
    compose("up", "-d", "--wait", *SERVERS, *ONCE)


def test_the_file_is_valid():
    assert compose("config", "-q").stderr == ""


def test_servers_are_healthy_and_what_runs_once_is_done():
    found = containers()
    assert set(found) >= SERVERS | ONCE
    for name in SERVERS:
        assert found[name]["State"]["Health"]["Status"] == "healthy", name
    for name in ONCE:
        assert found[name]["State"]["ExitCode"] == 0, name


def test_no_password_can_be_read_from_outside():
    secrets = [file for file in (ROOT / ".secrets").iterdir() if file.name != "clickhouse_users.xml"]
    told = json.dumps(containers()) + compose("config").stdout
    for file in secrets:
        assert file.read_text().strip() not in told, file.name
    assert connect("config")["database.password"] == "${dir:/run/secrets:debezium_password}"


def test_ports_are_open_to_this_machine_only():
    for name, container in containers().items():
        for bindings in (container["HostConfig"]["PortBindings"] or {}).values():
            assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}, name


def test_every_job_starts_by_its_name():
    for name in sorted(JOBS):
        assert "Usage:" in compose("run", "--rm", "-T", "--no-deps", name, "--help").stdout, name


def test_a_job_is_nobody_and_can_write_nothing():
    said = compose("run", "--rm", "-T", "--no-deps", "--entrypoint", "sh -c 'id -u; touch /x'", "lag", check=False)
    assert said.stdout.strip() == "65532" and "Read-only file system" in said.stderr


def test_a_change_arrives():
    psql("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'")
    wait_for("the change", lambda: job("ingest-customers", "--max-records", "10000")["written"] == 1, 30)
    assert clickhouse("SELECT city FROM northwind_dw.v_customers WHERE customer_id = 'ALFKI'") == "Bonn"
    assert job("check-reconcile", "--table", "customers", "--wait", "30s")["exit"] == 0


def test_a_raw_message_ends_in_quarantine():
    topics = kafka("kafka-topics", "--list").split()
    assert {"northwind.public.customers", "connect_offsets"} <= set(topics)
    compacted = kafka("kafka-topics", "--describe", "--topic", "connect_offsets")
    assert "cleanup.policy=compact" in compacted
    kafka("kafka-console-producer", "--topic", "northwind.public.customers", input='{"not": "an event"}\n')
    assert job("ingest-customers", "--max-records", "10000")["rejected"] == 1
    assert job("rejected", "--table", "customers")["records"] == 1


def test_a_table_can_be_sent_again():
    job("ingest-region")
    psql("SELECT northwind_cdc.send_again('region')")
    wait_for("the rows", lambda: job("ingest-region")["written"] == 4, 30)


def connect(path, method="GET"):
    url = f"http://127.0.0.1:{os.environ['CONNECT_PORT']}/connectors/northwind-cdc-connector/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.loads(answer.read() or "null")


def test_a_task_that_has_failed_is_started_again_when_its_cause_is_gone():
    psql("ALTER ROLE debezium PASSWORD 'another'")
    connect("restart?includeTasks=true", "POST")
    wait_for("the failure", lambda: any(task["state"] == "FAILED" for task in connect("status")["tasks"]), 60)
    psql(f"ALTER ROLE debezium PASSWORD '{(ROOT / '.secrets/debezium_password').read_text().strip()}'")
    compose("run", "--rm", "-T", "--no-deps", "connector")
    assert [task["state"] for task in connect("status")["tasks"]] == ["RUNNING"]


def test_to_start_it_again_changes_nothing():
    before = {name: one["State"]["StartedAt"] for name, one in containers().items() if name in SERVERS}
    compose("up", "-d")
    assert {name: one["State"]["StartedAt"] for name, one in containers().items() if name in SERVERS} == before


# --- Airflow -----------------------------------------------------------------------------------------------------------


def call(method, path, body=None, token=""):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(AIRFLOW + path, method=method, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def wait_for(what, condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(1)


def test_airflow_runs_the_jobs_through_the_proxy():
    password = json.loads((ROOT / ".secrets/airflow_passwords.json").read_text())["admin"]
    token = call("POST", "/auth/token", {"username": "admin", "password": password})["access_token"]
    dag = "/api/v2/dags/northwind_ingest"
    wait_for("the DAGs", lambda: call("GET", "/api/v2/dags", token=token)["total_entries"] == 5, 120)
    psql("UPDATE shippers SET phone = '(503) 555-0000' WHERE shipper_id = 1")
    call("PATCH", dag, {"is_paused": False}, token)
    wanted = {"logical_date": None, "conf": {"tables": ["shippers"], "max_records": 500}}
    run = f"{dag}/dagRuns/{call('POST', f'{dag}/dagRuns', wanted, token)['dag_run_id']}"
    wait_for("the end of the run", lambda: call("GET", run, token=token)["state"] in ("success", "failed"), 400)
    call("PATCH", dag, {"is_paused": True}, token)
    tasks = call("GET", f"{run}/taskInstances", token=token)["task_instances"]
    assert call("GET", run, token=token)["state"] == "success", {one["task_id"]: one["state"] for one in tasks}
    assert clickhouse("SELECT phone FROM northwind_dw.v_shippers WHERE shipper_id = 1") == "(503) 555-0000"


def test_what_was_stored_is_still_there_after_a_restart():
    compose("down")
    again = compose("run", "--rm", "-T", "ingest-customers").stdout
    assert json.loads(again.splitlines()[-1])["plan"]["spans"] == []
    assert clickhouse("SELECT city FROM northwind_dw.v_customers WHERE customer_id = 'ALFKI'") == "Bonn"
