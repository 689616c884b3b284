"""Airflow DAG: every hour, everything in the warehouse against the source."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from pipeline import params, tasks
from pipeline.jobs import OPS_DB, PIPELINE

DOC = f"""
# Is the warehouse right?

Every hour all checks over all rows, and the exact comparison with PostgreSQL. `{PIPELINE}_ingest` checks only what it has just
written; this DAG finds what went wrong behind its back.

It is the only one that waits: for the ingest jobs to reach the moment at which it has looked at the source.

**When a run is red**: exit code 10 means that rows differ or break a rule. `{OPS_DB}.check_failures` has each of them, with
both values and the Kafka coordinates of its last event; the check's log has the newest. Exit code 75 means that nothing can be
said: the pipeline was too far behind, the log names the stage.
"""

with DAG(
    f"{PIPELINE}_quality",
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=2,
    dagrun_timeout=timedelta(hours=3),
    default_args=tasks.DEFAULTS,
    tags=[PIPELINE, "quality"],
    doc_md=DOC,
    params={"tables": params.tables()},
):
    # Above two intervals of the DAG ingest.
    tasks.checks("--scope full --wait 15m" + params.each("table", "tables"), timedelta(minutes=45))
