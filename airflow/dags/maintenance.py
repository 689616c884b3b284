"""Airflow DAG: every day, what is closed and old goes."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from pipeline import tasks
from pipeline.jobs import JOBS, PIPELINE

DOC = """
# What is closed and old goes

Every day, early: quarantine records that were closed 90 days ago, and rows of the ledger that every consumer has taken up and that
are older than 400 days. What is open is never removed, nor the last row of a stream. History for people (runs, looks, results of
checks) goes by itself, by its TTL: `docs/OPERATIONS.md` has the retention of every table.

Both may run at any time and be killed anywhere; the next day does what is left.

**When a run is red**: nothing is lost, the tables only keep what they would have dropped. Exit code 78 means that the books are of
another version than the jobs: run `migrate`.
"""

with DAG(
    f"{PIPELINE}_maintenance",
    schedule="23 4 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args={**tasks.DEFAULTS, "execution_timeout": timedelta(hours=1)},
    tags=[PIPELINE, "maintenance"],
    doc_md=DOC,
):
    rejected = JOBS["rejected"]
    quarantine = "Removes what was closed in quarantine 90 days ago. Open records stay, however old."
    ledger = "Removes rows of the ledger that are older than 400 days and below every consumer's position."
    # One after the other: both rewrite parts, and the warehouse has other work.
    tasks.job_task(rejected, "rejected --prune 90d", quarantine, task_id="prune_quarantine") >> tasks.job_task(
        rejected, "rejected --prune-ledger 400d", ledger, task_id="prune_ledger"
    )
