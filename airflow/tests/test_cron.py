"""The rounds that cron runs do what the DAGs do: the same jobs in the same order, the same exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from conftest import EXECUTABLE, ROOT


@pytest.fixture
def cron(tmp_path, monkeypatch):
    """Runs a round whose jobs are the stub, which end as told; returns what it printed, its exit code, and the jobs."""
    file = tmp_path / "bin/lockstep"
    file.parent.mkdir()
    # Which jobs there are is said by the real one.
    file.write_text(
        f'#!/bin/sh\n[ "$1" != jobs ] || exec {EXECUTABLE} "$@"\nexec {ROOT}/airflow/tests/stub/lockstep "$@"\n'
    )
    file.chmod(0o755)
    calls = tmp_path / "calls"
    monkeypatch.setenv("LOCKSTEP_BIN_DIR", str(tmp_path / "bin"))
    monkeypatch.setenv("LOCKSTEP_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CALLS", str(calls))

    def cron(name, fail=""):
        monkeypatch.setenv("FAIL", fail)
        calls.write_text("")
        ran = subprocess.run([ROOT / "cron/round", name], capture_output=True, text=True)
        return ran.stdout, ran.returncode, [line.split()[0] for line in calls.read_text().splitlines()]

    cron.log, cron.bin, cron.calls = tmp_path / "log", tmp_path / "bin", calls
    return cron


def test_a_round_runs_every_job_parents_first_and_says_nothing(cron):
    from pipeline.jobs import INGESTS

    said, code, jobs = cron("ingest")
    assert (said, code) == ("", 0)
    assert jobs[:2] == ["sync-schema", "replay-rejected"]
    assert jobs[-3:] == ["build-agg-sales-daily", "build-order-wide", "check-all"]
    assert sorted(jobs[2:-3]) == sorted(job.name for job in INGESTS)
    for job in INGESTS:
        for parent in INGESTS:
            assert parent.table not in job.parents or jobs.index(parent.name) < jobs.index(job.name)
    assert json.loads((cron.log / "ingest-orders.json").read_text())["job"] == "ingest-orders"


def test_a_bad_table_stops_no_other_and_is_told(cron):
    said, code, jobs = cron("ingest", fail="ingest-shippers=78 check-all=10")
    assert code == 78 and len(jobs) == 19
    assert "ingest-shippers ended with exit code 78:\n" in said and '"error":"told to"' in said


def test_what_the_next_round_will_do_is_not_told(cron):
    assert cron("ingest", fail="ingest-orders=75 ingest-region=99")[:2] == ("", 75)
    assert cron("observe", fail="observe=143")[:2] == ("", 143)


def test_an_alarm_is_told_when_it_is_news_and_stays_an_exit_code(cron, monkeypatch):
    monkeypatch.setenv("NEWS", "1")
    said, code, _ = cron("observe", fail="observe=78")
    assert code == 78 and "observe ended with exit code 78:\n" in said
    monkeypatch.setenv("NEWS", "0")
    assert cron("observe", fail="observe=78")[:2] == ("", 78)
    monkeypatch.setenv("NEWS", "10")
    assert cron("observe", fail="observe=78")[0] != ""
    # Of any other job each is told; and so is what a look says that did not come so far as to count.
    monkeypatch.setenv("NEWS", "0")
    assert cron("ingest", fail="ingest-orders=78")[0] != ""
    monkeypatch.delenv("NEWS")
    assert cron("observe", fail="observe=78")[0] != "" and cron("observe", fail="observe=2")[1] == 2


def test_a_look_that_sees_nothing_for_long_is_told(cron):
    """Nobody looks after observe: with ClickHouse away it ends with 75 each minute, and cannot count how often."""
    for _ in range(9):
        assert cron("observe", fail="observe=75")[:2] == ("", 75)
    assert "observe ended with exit code 75:\n" in cron("observe", fail="observe=75")[0]
    assert cron("observe", fail="observe=75")[:2] == ("", 75)
    for _ in range(58):
        assert cron("observe", fail="observe=75")[:2] == ("", 75)
    assert cron("observe", fail="observe=75")[0] != "", "an hour later again"
    assert cron("observe")[:2] == ("", 0)
    assert cron("observe", fail="observe=75")[:2] == ("", 75), "it counts anew"


def test_a_round_is_that_of_the_pipeline(cron, monkeypatch, tmp_path):
    """Another pipeline has other tables; one that cannot be read has none, which is told."""
    text = (ROOT / "pipelines/northwind.toml").read_text()
    pipeline = tmp_path / "lockstep.toml"
    shutil.copytree(ROOT / "pipelines/northwind", tmp_path / "northwind")
    pipeline.write_text(text.replace("[tables.us_states]", "[tables.states]"))
    monkeypatch.setenv("PIPELINE", str(pipeline))
    _, code, jobs = cron("ingest")
    assert code == 0 and "ingest-states" in jobs and "ingest-us-states" not in jobs
    pipeline.write_text("nonsense")
    said, code, jobs = cron("ingest")
    assert code == 78 and "no ingest job was run" in said and "lockstep.toml:1" in said
    assert jobs == ["sync-schema", "replay-rejected", "check-all"]


def test_the_other_rounds(cron):
    assert cron("quality")[2] == ["check-all"]
    assert cron("observe")[2] == ["observe"]
    assert cron("maintenance")[2] == ["rejected", "rejected"]
    assert cron("prune")[2] == ["rejected", "rejected"], "its name of before"
    assert cron("whatever")[1] == 2


@pytest.mark.parametrize("name", ["ingest", "quality", "observe", "maintenance", "prune"])
def test_every_command_is_one_that_its_job_understands(cron, name):
    cron(name)
    for call in cron.calls.read_text().splitlines():
        # --help comes last: the flags before it, with their values, are looked at first.
        ran = subprocess.run([EXECUTABLE, *call.split(), "--help"], capture_output=True, text=True)
        assert ran.returncode == 0, f"{call}: {ran.stderr}"


def test_rounds_that_overlap_keep_their_words_apart(cron, tmp_path):
    """A check that waits for the data, as each hour's does, while the next round's is quick."""
    (cron.bin / "lockstep").write_text(
        f"""#!/bin/sh
case "$*" in
    jobs*) exec {EXECUTABLE} "$@" ;;
    check-all*full*)
        while [ ! -e {tmp_path}/go ]; do sleep 0.1; done
        echo '{{"job":"check-all","exit":10,"error":"of the slow one"}}'; exit 10 ;;
esac
echo '{{"job":"check-all","exit":0}}'
"""
    )
    waiting = subprocess.Popen(
        [ROOT / "cron/round", "quality"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert cron("ingest")[:2] == ("", 0)
    (tmp_path / "go").touch()
    assert "of the slow one" in waiting.communicate(timeout=30)[0] and waiting.returncode == 10
    assert [json.loads(line)["exit"] for line in (cron.log / "check-all.json").read_text().splitlines()] == [0, 10]


def test_maintenance_by_cron_is_that_of_the_dag(cron):
    cron("maintenance")
    calls = [line.removesuffix(" --summary stdout") for line in cron.calls.read_text().splitlines()]
    assert calls == ["rejected --prune 90d", "rejected --prune-ledger 400d"]


def test_the_crontab_names_what_is_there():
    for line in (ROOT / "cron/crontab").read_text().splitlines():
        if " * * " in line and not line.startswith("#"):
            script, name = line.split()[5:7]
            assert script == "/opt/northwind/cron/round" and name in ("ingest", "quality", "observe", "maintenance")
