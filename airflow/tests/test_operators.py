"""What a job's end means for its task: one contract, whatever runs the job."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
import time
import types

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import TimeoutPosix

from conftest import ROOT

STUB = ROOT / "airflow/tests/stub"


@pytest.fixture(scope="session")
def image():
    name = "lockstep-stub"
    base = os.environ.get("BASE_IMAGE", "debian:bookworm-slim")
    docker("build", "-q", "-t", name, "--build-arg", f"BASE_IMAGE={base}", str(STUB))
    return name


@pytest.fixture(params=("local", "docker"))
def operator(request, monkeypatch):
    """Makes an operator whose job is the stub."""
    from lockstep_jobs import settings
    from lockstep_jobs.docker import DockerJobOperator
    from lockstep_jobs.local import LocalJobOperator

    # Airflow's own goes past `caplog`.
    for kind in (LocalJobOperator, DockerJobOperator):
        monkeypatch.setattr(kind, "log", logging.getLogger("task"))
    if request.param == "local":
        monkeypatch.setattr(settings, "EXECUTABLE", str(STUB / "job"))
        return lambda command, **kwargs: LocalJobOperator(task_id="stub", command=command, **kwargs)
    name = request.getfixturevalue("image")
    return lambda command, **kwargs: DockerJobOperator(task_id="stub", command=command, image=name, **kwargs)


class Context(dict):
    """As much of a task's context as the operators look at; keeps what is pushed."""

    def __init__(self):
        self.pushed = {}
        ti = types.SimpleNamespace(dag_id="a_dag", run_id="a_run", task_id="stub", map_index=-1, try_number=2)
        ti.xcom_push = lambda key, value: self.pushed.update({key: value})
        super().__init__(ti=ti)


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, check=True, text=True).stdout


def containers():
    return docker("ps", "-aq", "--no-trunc", "--filter", "label=lockstep.dag=a_dag").split()


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert not containers()
    assert subprocess.run(["pgrep", "-f", f"{STUB}/job (waits|deaf)"], capture_output=True).stdout == b""


def test_the_last_json_line_is_the_result_whatever_stands_around_it(operator):
    assert operator("noise").execute(Context()) == {"job": "stub", "exit": 0, "written": 3}


def test_a_job_that_says_nothing_has_no_result(operator):
    assert operator("silent").execute(Context()) is None


@pytest.mark.parametrize("code", [2, 10, 65, 78])
def test_what_a_retry_cannot_mend_fails_at_once(operator, code):
    context = Context()
    with pytest.raises(AirflowFailException, match=f"exit code {code}: told to"):
        operator(f"exit {code}").execute(context)
    assert context.pushed["result"]["exit"] == code


@pytest.mark.parametrize("code", [1, 75, 143])
def test_what_may_pass_is_tried_again(operator, code):
    with pytest.raises(AirflowException, match=f"exit code {code}: told to") as failure:
        operator(f"exit {code}").execute(Context())
    assert not isinstance(failure.value, AirflowFailException)


def test_a_killed_job_is_tried_again(operator):
    with pytest.raises(AirflowException, match="exit code 137: killed") as failure:
        operator("killed").execute(Context())
    assert not isinstance(failure.value, AirflowFailException)


def test_nothing_to_do_is_skipped(operator):
    context = Context()
    with pytest.raises(AirflowSkipException):
        operator("exit 99").execute(context)
    assert context.pushed["result"]["exit"] == 99


def test_what_a_run_leaves_out_is_not_started(operator):
    with pytest.raises(AirflowSkipException, match="not among"):
        operator("exit 1", skip_reason="not among the tables").execute(Context())


def test_a_failure_is_one_line_with_the_result_and_the_command(operator, caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(AirflowException):
        operator("exit 78").execute(Context())
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert json.dumps({"job": "stub", "exit": 78, "error": "told to"}) in line
    assert line.endswith(" exit 78") and "needs a person" in line
    assert "By hand: docker run --rm " in line or f"By hand: {STUB}/job " in line


def test_arguments_arrive_as_they_are(operator):
    assert operator("""arguments --rule 'a b' "c'd" --env job.sh""").execute(Context()) == {"count": 5}


def test_a_job_gets_its_settings_and_its_secrets_and_none_of_airflows(operator, monkeypatch, caplog, tmp_path):
    (tmp_path / "password").write_text("from a file\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("POSTGRES_PASSWORD", "very secret")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", "not theirs")
    (tmp_path / "checks.toml").write_text("the limits\n")
    monkeypatch.setenv("CHECKS_CONFIG", str(tmp_path / "checks.toml"))
    monkeypatch.setattr("lockstep_jobs.settings.CHECKS_CONFIG", str(tmp_path / "checks.toml"))
    (tmp_path / "ca.pem").write_text("an authority\n")
    monkeypatch.setenv("TLS", "verify-full")
    monkeypatch.setenv("POSTGRES_TLS_CA_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("TLS_KEY_PASSWORD_FILE", str(tmp_path / "password"))
    task = operator("environment")
    with caplog.at_level(logging.INFO):
        task.execute(Context())
    told = caplog.text
    for line in (
        "KAFKA_BOOTSTRAP_SERVERS=kafka.example:9092",
        "POSTGRES_PASSWORD=very secret",
        "SUMMARY=last-line",
        "AIRFLOW_CTX_DAG_RUN_ID=a_run",
        "the limits",
        "TLS=verify-full",
        f"POSTGRES_TLS_CA_FILE={tmp_path}/ca.pem",
        "an authority",
    ):
        assert line in told
    assert "CLICKHOUSE_PASSWORD=from a file" in told or f"CLICKHOUSE_PASSWORD_FILE={tmp_path}" in told
    assert "TLS_KEY_PASSWORD=from a file" in told or f"TLS_KEY_PASSWORD_FILE={tmp_path}" in told
    assert "not theirs" not in told
    # What is templated is shown in the UI.
    shown = {name: getattr(task, name) for name in task.template_fields}
    assert "very secret" not in str(shown) and "from a file" not in str(shown)


def after_its_first_line(caplog, then):
    """In another thread, as soon as the job has started to work."""

    def wait():
        deadline = time.monotonic() + 30
        while "waiting" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_job_that_is_told_to_stop_does_so_and_is_tried_again(operator, caplog):
    task = operator("waits")
    with caplog.at_level(logging.INFO), pytest.raises(AirflowException, match="exit code 143") as failure:
        thread = after_its_first_line(caplog, task.on_kill)
        task.execute(Context())
    thread.join()
    assert not isinstance(failure.value, AirflowFailException)


def test_a_job_that_does_not_listen_is_killed(operator, caplog):
    task = operator("deaf")
    with caplog.at_level(logging.INFO), pytest.raises(AirflowException):
        thread = after_its_first_line(caplog, task.on_kill)
        started = time.monotonic()
        task.execute(Context())
    thread.join()
    assert 8 < time.monotonic() - started < 20


def test_nothing_is_left_of_a_job_that_takes_too_long(operator):
    task = operator("waits")
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(2):
        task.execute(Context())
    task.on_kill()  # as Airflow does then


@pytest.mark.parametrize("operator", ["docker"], indirect=True)
def test_a_container_says_whose_it_is(operator, caplog):
    task = operator("waits")
    found = []

    def look():
        label = "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}"
        found.append(docker("inspect", "-f", label, *containers()))
        task.on_kill()

    with caplog.at_level(logging.INFO), pytest.raises(AirflowException):
        thread = after_its_first_line(caplog, look)
        task.execute(Context())
    thread.join()
    for label in ("lockstep.dag=a_dag", "lockstep.run=a_run", "lockstep.task=stub", "lockstep.try=2"):
        assert label in found[0]


@pytest.fixture
def left_behind(image):
    """Makes a container as a killed worker leaves it: nobody waits for it, nobody removes it."""

    def left_behind(command, task_id="stub", map_index=-1):
        names = {"dag": "a_dag", "run": "a_run", "task": task_id, "map-index": map_index, "try": 1}
        marks = [word for name, value in names.items() for word in ("--label", f"lockstep.{name}={value}")]
        made = docker("run", "-d", *marks, image, command).strip()
        if command == "silent":
            docker("wait", made)
        return made

    yield left_behind
    docker("rm", "-f", *containers())


@pytest.mark.parametrize("operator", ["docker"], indirect=True)
def test_the_next_try_removes_what_a_killed_worker_has_left(operator, left_behind):
    dead = left_behind("silent")
    at_work = left_behind("waits")
    of_others = [left_behind("silent", task_id="another"), left_behind("silent", map_index=1)]
    operator("silent").execute(Context())
    there = containers()
    assert dead not in there
    assert set(there) == {at_work, *of_others}


def test_a_hundred_runs_of_the_image_have_a_hundred_results():
    from lockstep_jobs.docker import DockerJobOperator

    # It logs, it fails, it sums up: two streams would have the summary before the log in every second run.
    task = DockerJobOperator(task_id="short", command="migrate --clickhouse-port 1", do_xcom_push=True)
    results = []
    for _ in range(100):
        context = Context()
        with pytest.raises(AirflowException, match="exit code 75"):
            task.execute(context)
        results.append(context.pushed["result"])
    assert [result["job"] for result in results] == ["migrate"] * 100
    assert {result["exit"] for result in results} == {75}
