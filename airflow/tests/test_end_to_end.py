"""The DAGs as their users run them: triggered over REST, under the real scheduler, with the real jobs on real servers."""

from __future__ import annotations

import time
import urllib.error
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from world import Airflow, kill_worker, locked, published, running, source, wait_for, warehouse

CHECKS = ["check_freshness", "check_integrity", "check_reconcile", "check_rules", "check_volume"]


@pytest.fixture(scope="module")
def airflow():
    airflow = Airflow()
    # Unpaused, a DAG at once makes up for the last tick of its schedule: these wait behind that, so that no test has to.
    for dag_id in ("northwind_ingest", "northwind_quality"):
        first = airflow.trigger(dag_id)
        assert first.end() == "success", first.states()
    return airflow


@contextmanager
def in_the_middle(airflow):
    """A run whose ingest-customers is at work: it has read its records and waits for the source's answer."""
    published("UPDATE customers SET contact_title = 'changed ' || random()")
    run = airflow.trigger("northwind_ingest", tables=["customers"])
    # Not sooner: the comparison of the schemas would wait for that table, too.
    wait_for("the schema", lambda: run.states()["sync_schema"] == "success")
    with locked("customers"):
        job = running(run, "ingest_customers")
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'customers'::regclass"
        wait_for("the look-up", lambda: source(waiting), 30)
        yield run, job


def test_a_triggered_run_brings_what_is_new_and_tells_of_it(airflow):
    published(
        """INSERT INTO customers (customer_id, company_name) VALUES ('NEWCO', 'New Company')
               ON CONFLICT (customer_id) DO UPDATE SET company_name = EXCLUDED.company_name;
           UPDATE shippers SET phone = '(503) 555-' || (1000 + random() * 8999)::int WHERE shipper_id = 1"""
    )
    run = airflow.trigger("northwind_ingest", tables=["customers", "shippers"], max_records=500)
    assert run.end() == "success", run.states()

    states = run.states()
    green = {name for name, state in states.items() if state == "success"}
    assert green == {
        "sync_schema",
        "replay_rejected",
        "ingest_customers",
        "ingest_shippers",
        "build_agg_sales_daily",
        "build_order_wide",
        *CHECKS,
        "finish",
    }
    assert set(states.values()) == {"success", "skipped"}
    assert "--max-records 500" in run.tasks()["ingest_customers"]["rendered_fields"]["command"]

    for name in green:
        assert isinstance(run.xcom(name), dict), f"{name}: the XCom is an object"
    assert run.xcom("ingest_customers")["written"] >= 1
    assert warehouse("SELECT company_name FROM northwind_dw.v_customers WHERE customer_id = 'NEWCO'") == [
        ["New Company"]
    ]
    [[phone]] = source("SELECT phone FROM shippers WHERE shipper_id = 1")
    assert warehouse("SELECT phone FROM northwind_dw.v_shippers WHERE shipper_id = 1") == [[phone]]

    # The jobs' own books name the run, and whoever is scheduled on the asset gets the summary.
    assert warehouse(f"SELECT count() > 0 FROM northwind_ops.runs WHERE dag_run_id = '{run.run_id}'") == [["1"]]
    events = airflow.get("/assets/events", source_run_id=run.run_id)["asset_events"]
    assert [event["extra"]["run"] for event in events] == [run.run_id]
    assert set(events[0]["extra"]["tables"]) == {"customers", "shippers"}


def test_a_bad_value_is_refused_before_there_is_a_run(airflow):
    with pytest.raises(urllib.error.HTTPError) as refused:
        airflow.trigger("northwind_ingest", max_records=-1)
    assert refused.value.code == 400


def test_an_incompatible_column_leaves_the_other_tables_up_to_date_and_the_run_red(airflow):
    touched = {
        "categories": "description",
        "customers": "city",
        "employees": "city",
        "products": "quantity_per_unit",
        "region": "region_description",
        "suppliers": "city",
        "territories": "territory_description",
        "us_states": "state_region",
        "orders": "ship_city",
    }
    mark = f"seen {time.time():.0f}"
    try:
        changes = [f"UPDATE {table} SET {column} = '{mark}'" for table, column in touched.items()]
        published(
            "ALTER TABLE shippers ALTER phone TYPE integer USING 5559831; UPDATE shippers SET company_name = company_name || '.';"
            + ";".join(changes)
        )
        run = airflow.trigger("northwind_ingest")
        assert run.end() == "failed"
        states = run.states()
        # No check: each row that differs has its newer change in quarantine, where sync_schema's error sends people.
        assert {name for name, state in states.items() if state != "success"} == {"sync_schema", "finish"}
        assert run.tasks()["sync_schema"]["try_number"] == 1, "78 is not tried again"
        for table, column in touched.items():
            [[old]] = warehouse(f"SELECT countIf({column} != '{mark}') FROM northwind_dw.v_{table}")
            assert old == "0", table
        assert run.xcom("ingest_shippers")["rejected"] >= 1
        assert "By hand: " in run.log("sync_schema") and "phone is integer in PostgreSQL" in run.log("sync_schema")
        assert not airflow.get("/assets/events", source_run_id=run.run_id)["asset_events"], (
            "a red run is nothing to build on"
        )
    finally:
        published(
            "ALTER TABLE shippers ALTER phone TYPE varchar(24) USING '(503) ' || phone; UPDATE shippers SET phone = phone"
        )
    healed = airflow.trigger("northwind_ingest")
    assert healed.end() == "success", healed.states()


def test_a_topic_with_two_partitions_is_shared_by_two_tasks(airflow):
    mark = f"shared {time.time():.0f}"
    published(f"UPDATE us_states SET state_region = '{mark}'")
    [[rows]] = source("SELECT count(*) FROM us_states")
    run = airflow.trigger("northwind_ingest", tables=["us_states"])
    assert run.end() == "success", run.states()

    shares = [task for name, task in sorted(run.tasks().items()) if name.startswith("ingest_us_states")]
    assert [share["state"] for share in shares] == ["success", "success"]
    assert [share["rendered_map_index"] for share in shares] == ["shard 1/2", "shard 2/2"]
    for share, task in enumerate(shares, start=1):
        assert task["rendered_fields"]["command"].endswith(f" --shard {share}/2")

    results = [run.xcom("ingest_us_states", map_index=index) for index in (0, 1)]
    assert all(result["written"] >= 1 for result in results)
    assert sum(result["written"] for result in results) == rows
    assert run.xcom("finish")["tables"]["us_states"] == {"written": rows, "rejected": 0}
    seen = f"SELECT count(), countIf(state_region = '{mark}') FROM northwind_dw.v_us_states"
    assert warehouse(seen) == [[str(rows), str(rows)]]
    partitions = "SELECT DISTINCT _partition FROM northwind_dw.dim_us_states FINAL ORDER BY 1"
    assert warehouse(partitions) == [["0"], ["1"]]


def test_a_check_that_finds_a_difference_is_red_without_a_second_try(airflow):
    change = "ALTER TABLE northwind_dw.dim_shippers UPDATE company_name = '{}' WHERE shipper_id = 2"
    [[name]] = source("SELECT company_name FROM shippers WHERE shipper_id = 2")
    warehouse(change.format("not what the source says"))
    try:
        run = airflow.trigger("northwind_quality", tables=["shippers"])
        assert run.end() == "failed"
        assert {task for task, state in run.states().items() if state == "failed"} == {"check_reconcile"}
        assert run.tasks()["check_reconcile"]["try_number"] == 1
        log = run.log("check_reconcile")
        assert "not what the source says" in log and "exit code 10 (a check failed)" in log
    finally:
        warehouse(change.format(name))
    again = airflow.trigger("northwind_quality", tables=["shippers"])
    assert again.end() == "success", again.states()


def test_a_killed_worker_leaves_one_committer_and_what_its_orphan_wrote_is_checked(airflow):
    group = "group_id = 'northwind.ingest-customers'"
    [[before]] = warehouse(f"SELECT max(end_offset) FROM northwind_ops.windows WHERE {group} AND mode = 'plan'")
    with in_the_middle(airflow) as (run, orphan):
        orphan.pause()
    kill_worker(run, "ingest_customers")

    # Airflow sees it after a minute and tries again; the orphan, alive and frozen, still has the lock.
    wait_for("the second try", lambda: run.tasks()["ingest_customers"]["try_number"] >= 2, 180)
    wait_for("its end", lambda: run.tasks()["ingest_customers"]["state"] == "up_for_retry", 60)
    assert "exit code 75" in run.log("ingest_customers", 2)
    orphan.resume()
    assert run.end() == "success", run.states()
    assert run.tasks()["ingest_customers"]["try_number"] == 3
    # The second try has let it work; the third has removed its container.
    assert not orphan.is_there()

    windows = warehouse(
        f"""SELECT start_offset, end_offset, run_id, stream, seq FROM northwind_ops.windows
            WHERE {group} AND mode = 'plan' AND end_offset > {before} ORDER BY start_offset"""
    )
    assert windows and windows[0][0] == before
    assert all(one[1] == two[0] for one, two in pairwise(windows)), "no offset twice, none left out"
    assert len({window[2] for window in windows}) == 1, "one committer"
    # The try that Airflow knows of found nothing to do; build and checks went by the ledger.
    assert run.xcom("ingest_customers")["written"] == 0
    for stream, seq in (window[3:] for window in windows):
        consumers = {
            name
            for [name] in warehouse(
                f"""SELECT DISTINCT consumer FROM northwind_ops.positions
                    WHERE {group} AND source = 'customers' AND stream = {stream} AND seq >= {seq}"""
            )
        }
        assert any(name.startswith("build-order-wide") for name in consumers), consumers
        assert any(name.startswith("check-reconcile") for name in consumers), consumers


def test_a_job_that_is_stopped_ends_soon_and_the_next_try_goes_on(airflow):
    with in_the_middle(airflow) as (run, job):
        started = time.monotonic()
        job.stop()
        took = time.monotonic() - started
    assert took < 10, f"{took:.1f} s"
    assert run.end() == "success", run.states()
    assert run.tasks()["ingest_customers"]["try_number"] == 2
    assert "exit code 143 (stopped" in run.log("ingest_customers", 1)
    wait_for("it to be gone", lambda: not job.is_there(), 10)
    [[differ]] = warehouse("SELECT countIf(contact_title NOT LIKE 'changed %') FROM northwind_dw.v_customers")
    assert differ == "0"


def test_a_task_that_is_marked_as_failed_stops_its_job(airflow):
    # Nobody ingests this change, so the comparison waits for it, as long as it is let; for a row that is the same it would not.
    published("UPDATE shippers SET phone = '(503) 555-' || (1000 + random() * 8999)::int WHERE shipper_id = 1")
    run = airflow.trigger("northwind_quality", tables=["shippers"])
    job = running(run, "check_reconcile")
    airflow.call("PATCH", f"/api/v2{run.path}/taskInstances/check_reconcile", {"new_state": "failed"})
    wait_for("the job's end", lambda: not job.is_there(), 30)
    assert run.end() == "failed"
    assert airflow.trigger("northwind_ingest", tables=["shippers"]).end() == "success"


def test_a_backfill_reads_again_without_moving_the_group(airflow):
    committed = "SELECT max(end_offset) FROM northwind_ops.windows WHERE group_id = 'northwind.ingest-shippers' AND mode = 'plan'"
    before = warehouse(committed)
    warehouse("ALTER TABLE northwind_dw.dim_shippers DELETE WHERE shipper_id = 3")
    # Without a logical date there is no data interval either: it is the day up to now.
    run = airflow.trigger("northwind_backfill", tables=["shippers"])
    assert run.end() == "success", run.states()
    assert run.xcom("ingest_shippers")["written"] >= 1
    assert warehouse("SELECT count() FROM northwind_dw.v_shippers WHERE shipper_id = 3") == [["1"]]
    assert warehouse(committed) == before


def test_a_replay_by_hand(airflow):
    run = airflow.trigger("northwind_replay", table="orders", rule="customer-exists", since="1d")
    assert run.end() == "success", run.states()
    assert run.xcom("replay_rejected")["job"] == "replay-rejected"


def test_the_schedule_starts_a_run_every_minute(airflow):
    # Unpaused, the DAG at once makes up for its last tick: what is waited for is the one after that.
    query = {"run_type": "scheduled", "run_after_gte": datetime.now(UTC).isoformat()}
    airflow.pause("northwind_observe", False)
    try:
        run = wait_for("the next tick", lambda: airflow.newest_run("northwind_observe", **query))
        assert run.end() == "success", run.states()
    finally:
        airflow.pause("northwind_observe", True)
    assert run.xcom("observe")["healthy"], run.xcom("observe")
    for book in ("runs", "observed_connectors", "observed_slots", "observed_lags"):
        [[rows]] = warehouse(f"SELECT count() FROM northwind_ops.{book} WHERE dag_run_id = '{run.run_id}'")
        assert rows != "0", book
