"""Airflow DAG: every minute, how the pipeline is."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from pipeline import tasks
from pipeline.jobs import JOBS

DOC = """
# How the pipeline is

Every minute the state of the connector, of the replication slot and of each topic's lag goes into `northwind_ops`. A connector task
that has failed is started again, at most three times an hour.

**When a run is red**: exit code 78 means that the connector has failed more often than that, or is not there: the log has its
error. One red run among green ones was a server that was away for a moment.
"""

with DAG(
    "northwind_observe",
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=5),
    # The next run comes within a minute: no retry could be sooner.
    default_args={**tasks.DEFAULTS, "retries": 0, "execution_timeout": timedelta(minutes=2)},
    tags=["northwind", "observe"],
    doc_md=DOC,
):
    tasks.job_task(JOBS["observe"], "observe --restart-failed --restarts-per-hour 3")
