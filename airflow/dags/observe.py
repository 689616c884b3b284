"""Airflow DAG: every minute, how the pipeline is."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from pipeline import tasks
from pipeline.jobs import JOBS, OPS_DB, PIPELINE

DOC = f"""
# How the pipeline is

Every minute the state of the connector, of the replication slot, of the jobs' last runs, of each topic's lag and of the quarantine goes
into `{OPS_DB}`. A connector task that has failed is started again, at most three times an hour.

**When a run is red**: exit code 78 means that something needs a person, and stays for as long as that is there; the log's error says what,
where, and what to do. Which alarms there are, and what each is worth, is in `checks.toml`, section `[observe]`: a task that has failed more
often than that, a halted connector, a slot that is lost or that nobody reads, a job whose last run needs a person, that ends without
success for the tenth time in a row or does not run any more, a table that is too late, a quarantine that is too large or only grows.
Records that nobody will try again make one run a day red, not each.

One red run (75) among green ones was a server that was away for a moment; ten in a row are 78.

**Before a mail is sent for each red run**: `alarms` in the task's result has each alarm's name, and `news` how many of them were not said
within the last hour. A callback that mails if `news` is not 0 does so once an hour and alarm.
"""

with DAG(
    f"{PIPELINE}_observe",
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=5),
    # The next run comes within a minute: no retry could be sooner.
    default_args={**tasks.DEFAULTS, "retries": 0, "execution_timeout": timedelta(minutes=2)},
    tags=[PIPELINE, "observe"],
    doc_md=DOC,
):
    tasks.job_task(JOBS["observe"], "observe --restart-failed --restarts-per-hour 3")
