"""The rounds that cron runs do what the DAGs do: the same jobs in the same order, the same exit codes."""

from __future__ import annotations

import json
import subprocess

import pytest

from conftest import ROOT


@pytest.fixture
def cron(tmp_path, monkeypatch):
    """Runs a round whose jobs are the stub, which end as told; returns what it printed, its exit code, and the jobs."""
    jobs = json.loads((ROOT / "airflow/dags/jobs.json").read_text())
    for job in jobs:
        file = tmp_path / "bin" / job["name"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'#!/bin/sh\nexec {ROOT}/airflow/tests/stub/northwind {job["name"]} "$@"\n')
        file.chmod(0o755)
    calls = tmp_path / "calls"
    monkeypatch.setenv("NORTHWIND_BIN_DIR", str(tmp_path / "bin"))
    monkeypatch.setenv("NORTHWIND_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CALLS", str(calls))

    def cron(name, fail=""):
        monkeypatch.setenv("FAIL", fail)
        calls.write_text("")
        ran = subprocess.run([ROOT / "cron/round", name], capture_output=True, text=True)
        return ran.stdout, ran.returncode, [line.split()[0] for line in calls.read_text().splitlines()]

    cron.log = tmp_path / "log"
    return cron


def test_a_round_runs_every_job_parents_first_and_says_nothing(cron):
    from pipeline.jobs import INGESTS

    said, code, jobs = cron("ingest")
    assert (said, code) == ("", 0)
    assert (jobs[:2], jobs[-2:]) == (["sync-schema", "replay-rejected"], ["build-order-wide", "check-all"])
    assert sorted(jobs[2:-2]) == sorted(job.name for job in INGESTS)
    for job in INGESTS:
        for parent in INGESTS:
            assert parent.table not in job.parents or jobs.index(parent.name) < jobs.index(job.name)
    assert json.loads((cron.log / "ingest-orders.json").read_text())["job"] == "ingest-orders"


def test_a_bad_table_stops_no_other_and_is_told(cron):
    said, code, jobs = cron("ingest", fail="ingest-shippers=78 check-all=10")
    assert code == 78 and len(jobs) == 18
    assert "ingest-shippers ended with exit code 78:\n" in said and '"error":"told to"' in said


def test_what_the_next_round_will_do_is_not_told(cron):
    assert cron("ingest", fail="ingest-orders=75 ingest-region=99")[:2] == ("", 75)
    assert cron("observe", fail="observe=143")[:2] == ("", 143)


def test_the_other_rounds(cron):
    assert cron("quality")[2] == ["check-all"]
    assert cron("observe")[2] == ["observe"]
    assert cron("whatever")[1] == 2


def test_the_crontab_names_what_is_there():
    for line in (ROOT / "cron/crontab").read_text().splitlines():
        if "/cron/" in line and not line.startswith("#"):
            script, name = line.split()[5:7]
            assert script == "/opt/northwind/cron/round" and name in ("ingest", "quality", "observe")
