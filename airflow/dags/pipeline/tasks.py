"""The tasks: which job, with which flags, and how long it may take."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, TaskGroup, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from lockstep_jobs import JobOperator
from pipeline.jobs import BUILDS, CHECKS, INGESTS, JOBS, OPS_DB, PIPELINE, RULES_THAT_SETTLE, WAREHOUSE_DB, Job
from pipeline.params import each, switch

# One URI has one name everywhere: of two, Airflow makes one inactive, and its tasks fail at once.
WAREHOUSE = Asset(name=WAREHOUSE_DB, uri=f"x-{PIPELINE.replace('_', '-')}://clickhouse/{WAREHOUSE_DB}")

# An ingest job stops at a window's end after `--max-duration 4m`, before Airflow would have to kill it.
INGEST_TIMEOUT = timedelta(minutes=6)
_RETRY_DELAY = timedelta(seconds=float(os.environ.get("LOCKSTEP_RETRY_SECONDS", "30")))
DEFAULTS = {
    "owner": PIPELINE,
    "retries": 2,
    "retry_delay": _RETRY_DELAY,
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(minutes=10),
}
DRY_RUN = "{{ 'a dry run writes nothing' if params.dry_run else '' }}"

WHEN_RED = f"""
**When it is red**, the last lines of the log have the exit code, what the job said, and the command to run by hand.

| exit code | Airflow | means | do |
|---|---|---|---|
| 10 | fails at once | a check has found rows | look at `{OPS_DB}.check_failures` |
| 65 | fails at once | more rejects than allowed | look at `rejected`; mend the source or raise the ratio |
| 78 | fails at once | a person has to decide | read the error, it names the choices; then clear the task |
| 2 | fails at once | the command line is wrong | image and DAGs are of different versions |
| 75 | tries again | something is away, busy or locked | if it stays red: `doctor` |
| 143, 137 | tries again | it was stopped, or killed | nothing, the next try goes on where it stopped |
| 1 | tries again | a bug | please report it |

Clearing it is always safe: every job goes on where the last one stopped, and nothing is written twice.
"""


def job_task(job: Job, command: str, doc: str = "", task_id: str = "", **kwargs: Any) -> JobOperator:
    """One job as one task. It runs whatever became of those before it: the jobs depend on the ledger, not on each other."""
    kwargs = {"trigger_rule": TriggerRule.ALL_DONE, **kwargs}
    return JobOperator(task_id=task_id or job.task_id, command=command, doc_md=doc_md(job, doc), **kwargs)


def doc_md(job: Job, doc: str) -> str:
    return f"`{job.name}`: {job.about}.\n\n{doc}\n{WHEN_RED}"


def ingest(job: Job, flags: str, timeout: timedelta) -> Any:
    """A table's ingest job; a topic with several partitions is shared by as many of them, side by side."""
    command = f"{job.name} {flags}"
    chosen = f"not params.tables or '{job.table}' in params.tables"
    skip_reason = f"{{{{ '' if {chosen} else 'not among the tables of this run' }}}}"
    if job.partitions == 1:
        return job_task(job, command, skip_reason=skip_reason, execution_timeout=timeout)
    shares = [f"{command} --shard {share}/{job.partitions}" for share in range(1, job.partitions + 1)]
    return JobOperator.partial(
        task_id=job.task_id,
        doc_md=doc_md(job, "Each of the mapped tasks takes its share of the topic's partitions."),
        skip_reason=skip_reason,
        execution_timeout=timeout,
        trigger_rule=TriggerRule.ALL_DONE,
        map_index_template="{{ 'shard ' ~ task.command.split('--shard ')[-1] }}",
    ).expand(command=shares)


def ingests(flags: str, timeout: timedelta = INGEST_TIMEOUT) -> tuple[TaskGroup, TaskGroup]:
    """All tables; those that others reference first, so that a new order finds its new customer in the same run."""
    tasks: dict[str, Any] = {}
    with TaskGroup("parents", prefix_group_id=False, tooltip="Tables that reference no other") as parents:
        for job in (job for job in INGESTS if not job.parents):
            tasks[job.table] = ingest(job, flags, timeout)
    with TaskGroup("children", prefix_group_id=False, tooltip="Tables that reference others") as children:
        jobs = [job for job in INGESTS if job.parents]
        for job in jobs:
            tasks[job.table] = ingest(job, flags, timeout)
        among_children = {job.table for job in jobs}
        for job in jobs:
            for parent in sorted(job.parents & among_children):
                tasks[parent] >> tasks[job.table]
    return parents, children


def sync_schema() -> JobOperator:
    doc = "New columns of the source come into the warehouse before the rows that have them. A table whose change needs a person waits; the others go on."
    return job_task(JOBS["sync-schema"], "sync-schema" + each("table", "tables"), doc, skip_reason=DRY_RUN)


def replay_settling() -> JobOperator:
    doc = (
        "Judges again what was refused because another row was not there yet. "
        f"After 12 attempts it waits for a person: `{PIPELINE}_replay`."
    )
    rules = " ".join(f"--only-rule {rule}" for rule in RULES_THAT_SETTLE)
    command = f"replay-rejected {rules} --attempts-below 12" + each("table", "tables") + switch("dry-run")
    return job_task(JOBS["replay-rejected"], command, doc)


def builds(skip_reason: str = "") -> list[TaskGroup]:
    """The derived tables, if there are any: each is made of the tables, none of another one."""
    if not BUILDS:
        return []
    doc = "Takes up every window in the ledger that it has not taken up yet, also those of a run that was killed."
    with TaskGroup("derived", prefix_group_id=False, tooltip="Tables that are made of others") as group:
        for job in BUILDS:
            job_task(job, job.name, doc, skip_reason=skip_reason, execution_timeout=timedelta(minutes=20))
    return [group]


def checks(flags: str, timeout: timedelta, skip_reason: str = "") -> TaskGroup:
    with TaskGroup("checks", prefix_group_id=False, tooltip="Is what was written right?") as group:
        for job in CHECKS:
            doc = "A check that has found something fails at once: a second look would find the same."
            job_task(job, f"{job.name} {flags}", doc, skip_reason=skip_reason, execution_timeout=timeout)
    return group


def finish() -> Any:
    """The last task: sums up, fails if anything before it has failed, and tells of a warehouse that is new and sound.

    Each task runs whatever became of those before it, so a failure in the middle would leave the run green. `one_failed` would
    see it, but at the first failure, with the rest still running: this one waits for all of them and then looks.
    """
    return _finish.override(task_id="finish", trigger_rule=TriggerRule.ALL_DONE, doc_md=FINISH_DOC)()


FINISH_DOC = f"""
Sums up what the jobs of this run have done, and makes the run red if one of them has failed. Only a green run
emits the asset `{WAREHOUSE_DB}`, with the summary as its `extra`.

**When it is red**, its log names the tasks that failed and what they said. Mend those and clear them, it follows.
"""


@task(outlets=[WAREHOUSE], retries=1)
def _finish(*, ti: Any, params: Any, outlet_events: Any) -> dict[str, Any]:
    others = [name for name in ti.task.dag.task_ids if name != ti.task_id]
    by_run = ti.get_task_states(dag_id=ti.dag_id, task_ids=others, run_ids=[ti.run_id])
    states = by_run.get(ti.run_id, {})
    results = {name: _results(ti, name) for name in others}
    summary = summary_of(ti.run_id, states, results)
    if summary["failed"]:
        ti.xcom_push(key="result", value=summary)
        told = "\n".join(f"  {name}: {why}" for name, why in summary["failed"].items())
        raise AirflowFailException(
            f"{len(summary['failed'])} tasks have failed; mend and clear them, this one follows:\n{told}"
        )
    if params.get("dry_run"):
        ti.xcom_push(key="result", value=summary)
        raise AirflowSkipException(f"a dry run has changed nothing, so there is nothing to tell: {summary}")
    outlet_events[WAREHOUSE].extra = summary
    return summary


def _results(ti: Any, name: str) -> list[dict[str, Any]]:
    """What a task's job has said; of a mapped task all of them. A task that raised has left it under a key of its own."""
    found = []
    for key in ("return_value", "result"):
        values = ti.xcom_pull(task_ids=[name], key=key) or []
        found += [value for value in values if isinstance(value, dict)]
    return found


def summary_of(run: str, states: dict[str, str], results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    def total(name: str, count: str) -> int:
        return sum(result.get(count) or 0 for result in results.get(name, []))

    def why(name: str) -> str:
        task_id = name if name in results else name.rpartition("_")[0]  # a mapped task's state is called NAME_INDEX
        errors = [result["error"] for result in results.get(task_id, []) if result.get("error")]
        return errors[0] if errors else "see its log"

    return {
        "run": run,
        "tables": {
            job.table: {"written": total(job.task_id, "written"), "rejected": total(job.task_id, "rejected")}
            for job in INGESTS
            if results.get(job.task_id)
        },
        "replayed": total("replay_rejected", "written"),
        "derived": {
            job.name.removeprefix("build-"): total(job.task_id, "written") for job in BUILDS if results.get(job.task_id)
        },
        "failed": {name: why(name) for name, state in sorted(states.items()) if state in ("failed", "upstream_failed")},
    }
