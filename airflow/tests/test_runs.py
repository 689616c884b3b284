"""Whole runs of the DAGs by `dag.test()`, with a stub for the jobs: what follows what, and what makes a run red."""

from __future__ import annotations

import pytest

from conftest import ROOT, load_dags

CHECKS = ["check_freshness", "check_integrity", "check_reconcile", "check_rules", "check_volume"]
BUILDS = ["build-agg-sales-daily", "build-order-wide"]


@pytest.fixture(scope="session")
def database():
    from airflow.configuration import conf
    from airflow.utils.db import initdb

    assert conf.get("database", "sql_alchemy_conn").startswith("sqlite"), "not on somebody's database"
    initdb()


@pytest.fixture
def run(database, monkeypatch, tmp_path):
    """Runs a DAG with these parameters, its jobs ending as told; returns the run, its tasks' states, the jobs' command lines."""
    from airflow.sdk import timezone

    from lockstep_jobs import settings

    monkeypatch.setattr(settings, "EXECUTABLE", str(ROOT / "airflow/tests/stub/lockstep"))
    calls = tmp_path / "calls"
    calls.touch()
    monkeypatch.setenv("CALLS", str(calls))

    def run(dag_id, fail="", **conf):
        monkeypatch.setenv("FAIL", fail)
        # Read anew: a test run leaves its parameters in the DAG.
        done = load_dags()[dag_id].test(run_conf=conf, logical_date=timezone.utcnow())
        states = {ti.task_id: str(ti.state) for ti in done.get_task_instances()}
        return done, states, calls.read_text().splitlines()

    return run


def called(lines, job):
    return [line for line in lines if line.split()[0] == job]


def xcom(done, task_id, key="return_value"):
    return done.get_task_instance(task_id).xcom_pull(task_ids=task_id, key=key)


def test_a_run_brings_every_table_up_to_date_then_the_derived_ones_then_the_checks(run):
    done, states, calls = run("northwind_ingest", max_records=100, max_reject_ratio=0.5)
    assert str(done.state) == "success"
    assert set(states.values()) == {"success"} and len(states) == 14 + 2 + len(BUILDS) + len(CHECKS) + 1
    order = [line.split()[0] for line in calls]
    assert order[:2] == ["sync-schema", "replay-rejected"]
    assert order.index("ingest-order-details") > order.index("ingest-orders") > order.index("ingest-customers")
    assert sorted(order[16:18]) == BUILDS and sorted(order[18:]) == [check.replace("_", "-") for check in CHECKS]
    assert called(calls, "ingest-orders") == [
        "ingest-orders --max-duration 4m --max-records 100 --max-reject-ratio 0.5"
    ]
    assert called(calls, "check-rules") == ["check-rules --scope new --wait 0s"]
    summary = xcom(done, "finish")
    assert summary["tables"]["orders"] == {"written": 7, "rejected": 0} and len(summary["tables"]) == 14
    assert (summary["derived"], summary["failed"]) == ({"agg-sales-daily": 7, "order-wide": 7}, {})


def test_only_the_chosen_tables(run):
    done, states, calls = run("northwind_ingest", tables=["orders", "shippers"])
    assert str(done.state) == "success"
    ingested = {task for task, state in states.items() if task.startswith("ingest_") and state == "success"}
    assert ingested == {"ingest_orders", "ingest_shippers"}
    assert called(calls, "sync-schema") == ["sync-schema --table orders --table shippers"]
    assert called(calls, "check-rules") == ["check-rules --scope new --wait 0s --table orders --table shippers"]
    assert set(xcom(done, "finish")["tables"]) == {"orders", "shippers"}


def test_a_bad_table_stops_no_other_and_makes_the_run_red(run):
    done, states, calls = run("northwind_ingest", fail="ingest-shippers=78 build-order-wide=75 check-integrity=10")
    assert str(done.state) == "failed"
    red = {"ingest_shippers", "build_order_wide", "check_integrity", "finish"}
    assert {task for task, state in states.items() if state == "failed"} == red
    assert {state for task, state in states.items() if task not in red} == {"success"}
    assert len(called(calls, "ingest-shippers")) == 1, "78 needs a person"
    assert len(called(calls, "build-order-wide")) == 3, "75 may pass"
    assert len(called(calls, "check-integrity")) == 1, "a second look would find the same"
    assert xcom(done, "finish", "result")["failed"] == dict.fromkeys(sorted(red - {"finish"}), "told to")


def test_a_dry_run_writes_nothing(run):
    done, states, calls = run("northwind_ingest", dry_run=True)
    assert str(done.state) == "success"
    assert {line.split()[0] for line in calls if "--dry-run" not in line} == set()
    assert {
        states[task] for task in ("sync_schema", *(build.replace("-", "_") for build in BUILDS), "finish", *CHECKS)
    } == {"skipped"}
    assert states["ingest_orders"] == "success"


def test_quality_looks_at_everything_and_waits(run):
    done, states, calls = run("northwind_quality", tables=["orders"])
    assert str(done.state) == "success" and sorted(states) == CHECKS
    assert called(calls, "check-reconcile") == ["check-reconcile --scope full --wait 15m --table orders"]
    assert str(run("northwind_quality", fail="check-reconcile=10")[0].state) == "failed"


def test_replay_hands_on_what_was_chosen(run):
    done, states, calls = run("northwind_replay", rule="customer-exists", table="orders", since="2d")
    assert str(done.state) == "success" and set(states.values()) == {"success"}
    assert calls[0] == "replay-rejected --max-records 1000000 --only-rule customer-exists --table orders --since 2d"
    assert sorted(calls[1:]) == BUILDS


def test_backfill_reads_the_interval_and_skips_tables_without_records(run):
    done, states, calls = run("northwind_backfill", fail="ingest-region=99")
    assert str(done.state) == "success" and states["ingest_region"] == "skipped"
    start, end = (getattr(done, f"data_interval_{side}").strftime("%Y-%m-%dT00:00:00Z") for side in ("start", "end"))
    assert start < end
    assert called(calls, "ingest-orders") == [f"ingest-orders --since {start} --until {end} --skip-empty"]


@pytest.mark.parametrize("code", [75, 78])
def test_observe_is_not_tried_again(run, code):
    done, _, calls = run("northwind_observe", fail=f"observe={code}")
    assert str(done.state) == "failed" and calls == ["observe --restart-failed --restarts-per-hour 3"]
