"""Airflow DAG: every few minutes, what is new from Kafka to ClickHouse."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG, chain

from pipeline import params, tasks
from pipeline.jobs import CHECKS, PIPELINE

DOC = """
# What is new, from Kafka to ClickHouse

Brings each table up to date, then the derived tables, then checks what was written. It runs every five minutes, one run at a time; a
run takes up whatever an earlier one has left, so a run that was missed or killed needs nothing.

**By hand**: *Trigger*, choose tables and a record limit. *Dry run* reads and validates only.

**When a run is red**, at least one job has failed, the others have done their work. The task `finish` names them; each one's log
ends with its exit code, what it said, and the command to run by hand. Records that were refused are no failure: they wait in
quarantine, and `replay_rejected` tries them again.

**When it stays red**: `lockstep doctor` says which server is away or set wrongly, `lockstep lag` what is unread.
"""

with DAG(
    f"{PIPELINE}_ingest",
    schedule=os.environ.get("NORTHWIND_INGEST_SCHEDULE", "*/5 * * * *"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=4,
    dagrun_timeout=timedelta(hours=1),
    default_args=tasks.DEFAULTS,
    tags=[PIPELINE, "ingest"],
    doc_md=DOC,
    params={
        "tables": params.tables(),
        "max_records": params.max_records(),
        "dry_run": params.dry_run(),
        "max_reject_ratio": params.max_reject_ratio(),
    },
):
    flags = (
        "--max-duration 4m" + params.flag("max-records") + params.flag("max-reject-ratio") + params.switch("dry-run")
    )
    parents, children = tasks.ingests(flags)
    steps = [tasks.sync_schema(), tasks.replay_settling(), parents, children, *tasks.builds(tasks.DRY_RUN)]
    if CHECKS:
        # What lies beyond the fence is the next run's: to wait for it here would block the very run that is waited for.
        steps.append(
            tasks.checks("--scope new --wait 0s" + params.each("table", "tables"), timedelta(minutes=10), tasks.DRY_RUN)
        )
    chain(*steps, tasks.finish())
