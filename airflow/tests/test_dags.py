"""What holds for every DAG, without running one."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import EXECUTABLE, ROOT

DAGS = {
    "northwind_backfill",
    "northwind_ingest",
    "northwind_maintenance",
    "northwind_observe",
    "northwind_quality",
    "northwind_replay",
}
# A value for every parameter that has none by default, so that each flag is on the command line.
VALUES = {
    "tables": ["orders", "order_details"],
    "max_records": 100,
    "max_reject_ratio": 0.5,
    "dry_run": True,
    "rule": "customer-exists",
    "table": "orders",
    "since": "2026-01-31T08:00:00Z",
}


def job_tasks(dag):
    return [task for task in dag.tasks if task.task_id != "finish"]


def commands(dag, values, template="command"):
    """The command line of each task (or another template), as it is rendered for a run with these parameters."""
    from airflow.sdk import timezone

    params = {name: values.get(name, param.value) for name, param in dag.params.items()}
    context = {
        "params": params,
        "data_interval_start": timezone.datetime(2026, 1, 30),
        "data_interval_end": timezone.datetime(2026, 1, 31),
    }
    environment = dag.get_template_env()
    for task in job_tasks(dag):
        yield environment.from_string(getattr(task, template)).render(context)


def test_these_are_the_dags(dags):
    assert set(dags) == DAGS


def test_the_list_of_jobs_is_what_the_executable_says():
    said = subprocess.run([EXECUTABLE, "jobs"], capture_output=True, check=True, text=True).stdout
    assert (ROOT / "airflow/dags/jobs.json").read_text() == said, "bin/lockstep jobs > airflow/dags/jobs.json"


@pytest.mark.parametrize("values", [VALUES, {}], ids=["every field filled in", "nothing filled in"])
@pytest.mark.parametrize("dag_id", sorted(DAGS))
def test_every_command_is_one_that_its_job_understands(dags, dag_id, values):
    for command in commands(dags[dag_id], values):
        # --help comes last: the flags before it, with their values, are looked at first.
        ran = subprocess.run([EXECUTABLE, *command.split(), "--help"], capture_output=True, text=True)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"


def test_each_field_of_a_trigger_form_says_something_to_a_job(dags):
    for dag in dags.values():
        for name in dag.params:
            assert name in VALUES, f"{dag.dag_id}: no test value for {name}"
            without, filled_in = (
                [*commands(dag, v), *commands(dag, v, "skip_reason")] for v in ({}, {name: VALUES[name]})
            )
            assert without != filled_in, f"{dag.dag_id}: {name} changes no command, and leaves out no task"


def test_fields_have_types_limits_and_explanations(dags):
    for dag in dags.values():
        for name, param in dag.params.items():
            schema, where = param.schema, f"{dag.dag_id}: {name}"
            assert schema.get("title") and param.description, where
            types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            if "string" in types:  # it ends up on a command line
                assert "pattern" in schema or "enum" in schema, where
            if "integer" in types or "number" in types:
                assert "minimum" in schema and "maximum" in schema, where
            if "array" in types:
                assert schema["items"]["enum"], where


@pytest.mark.parametrize(
    ("dag_id", "name", "value"),
    [
        ("northwind_ingest", "max_records", 0),
        ("northwind_ingest", "max_records", "many"),
        ("northwind_ingest", "max_reject_ratio", 1.5),
        ("northwind_ingest", "tables", ["nobody"]),
        ("northwind_ingest", "dry_run", "perhaps"),
        ("northwind_replay", "rule", "a b; rm"),
        ("northwind_replay", "since", "yesterday --full"),
        ("northwind_replay", "table", "nobody"),
    ],
)
def test_a_bad_value_is_refused(dags, dag_id, name, value):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        dags[dag_id].params.get_param(name).resolve(value)


def test_policy(dags):
    for dag in dags.values():
        assert "northwind" in dag.tags and len(dag.tags) > 1, dag.dag_id
        assert "**When a run is red**" in dag.doc_md, dag.dag_id
        assert not dag.catchup and dag.max_active_runs == 1 and dag.dagrun_timeout, dag.dag_id
        for task in dag.tasks:
            assert task.owner == "northwind", task.task_id
            assert "**When it is red**" in task.doc_md, task.task_id
            assert task.execution_timeout, task.task_id
            if dag.dag_id != "northwind_observe":
                assert task.retries > 0 and task.retry_exponential_backoff, task.task_id


def test_schedules(dags):
    ingest, quality = dags["northwind_ingest"], dags["northwind_quality"]
    assert (ingest.schedule, dags["northwind_replay"].schedule) == ("*/5 * * * *", None)
    assert dags["northwind_observe"].schedule == "* * * * *"
    assert type(dags["northwind_backfill"].schedule).__name__ == "CronDataIntervalTimetable"
    assert quality.schedule.endswith(" * * * *")
    minute, hour, *days = dags["northwind_maintenance"].schedule.split()
    assert minute.isdigit() and hour.isdigit() and days == ["*", "*", "*"], "once a day"
    waits = {
        dag.dag_id
        for dag in dags.values()
        for command in commands(dag, {})
        if "--wait" in command and "--wait 0s" not in command
    }
    assert waits == {"northwind_quality"}, "to wait in the DAG that is waited for would block it"


def test_maintenance_removes_only_what_is_closed_and_old(dags):
    said = [task.command for task in job_tasks(dags["northwind_maintenance"])]
    assert said == ["rejected --prune 90d", "rejected --prune-ledger 400d"]


def test_a_job_is_told_to_stop_before_airflow_kills_it(dags):
    for task in job_tasks(dags["northwind_ingest"]):
        if task.task_id.startswith("ingest_"):
            assert "--max-duration 4m" in task.command
            assert task.execution_timeout.total_seconds() > 4 * 60


def test_a_day_that_is_read_again_has_the_time_it_needs(dags):
    for task in job_tasks(dags["northwind_backfill"]):
        if task.task_id.startswith("ingest_"):
            assert "--max-duration" not in task.command and task.execution_timeout.total_seconds() == 2 * 3600


def test_tables_come_behind_those_that_they_point_at(dags):
    from pipeline.jobs import INGESTS, TABLES

    assert len(TABLES) == 14
    for dag_id in ("northwind_ingest", "northwind_backfill"):
        dag = dags[dag_id]
        for job in INGESTS:
            for parent in job.parents:
                assert f"ingest_{parent}" in dag.get_task(job.task_id).get_flat_relative_ids(upstream=True)


def test_every_task_runs_whatever_became_of_the_one_before_and_the_last_one_sees_all(dags):
    for dag_id in ("northwind_ingest", "northwind_backfill", "northwind_replay"):
        dag = dags[dag_id]
        assert {task.trigger_rule for task in dag.tasks} == {"all_done"}
        assert [task.task_id for task in dag.leaves] == ["finish"]
        assert dag.get_task("finish").get_flat_relative_ids(upstream=True) == set(dag.task_ids) - {"finish"}


def test_an_asset_has_one_name_and_is_told_of_by_the_last_task_alone(dags):
    names = collections.defaultdict(set)
    tellers = set()
    for dag in dags.values():
        for task in dag.tasks:
            for asset in [*task.inlets, *task.outlets]:
                names[asset.uri].add(asset.name)
            tellers.update(f"{dag.dag_id}.{task.task_id}" for _ in task.outlets)
    # Of two names Airflow would make one inactive, and its tasks would fail at once.
    assert dict(names) == {"x-northwind://clickhouse/northwind_dw": {"northwind_dw"}}
    assert tellers == {"northwind_ingest.finish", "northwind_backfill.finish", "northwind_replay.finish"}


def test_what_is_stored_of_a_dag_holds_no_secret(dags):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        stored = json.dumps(DagSerialization.to_dict(dag))
        assert "app_password" not in stored, dag.dag_id


LOOK_AT_SHARDS = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
task = bag.dags["northwind_ingest"].get_task("ingest_orders")
print(task.expand_input.value["command"])
assert bag.dags["northwind_ingest"].get_task("ingest_order_details").get_flat_relative_ids(upstream=True) >= {"ingest_orders"}
"""


LOOK_AT_NAMES = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
for dag in bag.dags.values():
    assert "my_shop" in dag.tags and {task.owner for task in dag.tasks} == {"my_shop"}, dag.dag_id
    print(dag.dag_id)
"""


@pytest.fixture
def with_list(tmp_path, monkeypatch):
    """What a script says of the DAGs with another list of jobs. In a process of its own: the list is read once."""

    def said(script, change):
        listed = json.loads((ROOT / "airflow/dags/jobs.json").read_text())
        change(listed)
        (tmp_path / "jobs.json").write_text(json.dumps(listed))
        monkeypatch.setenv("LOCKSTEP_JOBS", str(tmp_path / "jobs.json"))
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "airflow/plugins") + ":" + str(ROOT / "airflow/dags"))
        ran = subprocess.run([sys.executable, "-c", script, ROOT / "airflow/dags"], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return said


def test_a_topic_with_several_partitions_is_shared_by_as_many_tasks(with_list):
    def three(listed):
        next(job for job in listed["jobs"] if job.get("table") == "orders")["partitions"] = 3

    said = with_list(LOOK_AT_SHARDS, three)
    for share in ("--shard 1/3", "--shard 2/3", "--shard 3/3"):
        assert share in said
    assert "--shard 4" not in said


def test_the_dags_are_called_after_their_pipeline(with_list):
    said = with_list(LOOK_AT_NAMES, lambda listed: listed.update(pipeline="my_shop"))
    assert {line for line in said.splitlines() if line.startswith("my_shop_")} == {
        dag_id.replace("northwind_", "my_shop_") for dag_id in DAGS
    }


OTHER_PIPELINE = """
[pipeline]
name = "works"
topic_prefix = "works"
[connector]
name = "works"
database = "works"
role = "works_cdc"
slot = "works"
publication = "works"
heartbeat = { schema = "works_cdc", table = "heartbeat" }
signal = { schema = "works_cdc", table = "signal" }
decimal_handling = "string"
time_precision = "adaptive"
binary_handling = "bytes"
[warehouse]
database = "works_dw"
ops = "works_ops"
[tables.person]
source = { schema = "public", table = "person" }
target = "person"
key = ["id"]
columns.id = "integer not null"
columns.boss = "integer null"
columns.home_id = "integer null"
references.chief = { columns = ["boss"], table = "person", why = "nobody's chief", example = { boss = -1 } }
references.home = { columns = ["home_id"], table = "home", why = "a home of nowhere", example = { home_id = -1 } }
[tables.home]
source = { schema = "public", table = "home" }
target = "home"
key = ["id"]
columns.id = "integer not null"
columns.owner = "integer null"
references.person = { columns = ["owner"], table = "person", why = "a home of nobody", example = { owner = -1 } }
"""


LOOK_AT_ORDER = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
for dag in bag.dags.values():
    dag.check_cycle() if hasattr(dag, "check_cycle") else dag.topological_sort()
dag = bag.dags["works_ingest"]
assert {"ingest_home", "ingest_person"} <= set(dag.task_ids) and not any("build" in task for task in dag.task_ids)
print(dag.get_task("ingest_home").get_flat_relative_ids(upstream=True) & {"ingest_person"})
"""


def test_another_pipeline_has_its_dags_though_its_tables_reference_each_other_in_a_circle(with_list, tmp_path):
    (tmp_path / "lockstep.toml").write_text(OTHER_PIPELINE)
    listed = json.loads(subprocess.check_output([EXECUTABLE, "--pipeline", tmp_path, "jobs"]))

    def works(jobs):
        jobs.clear()
        jobs.update(listed)

    assert "{'ingest_person'}" in with_list(LOOK_AT_ORDER, works)


def test_parsing_starts_no_process_and_asks_no_server():
    for file in [*Path(ROOT / "airflow/dags").rglob("*.py")]:
        text = file.read_text()
        for word in ("subprocess", "urllib", "requests", "Variable.get", "BaseHook"):
            assert word not in text, f"{file}: {word}"
