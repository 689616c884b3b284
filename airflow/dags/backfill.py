"""Airflow DAG: read a day again, without moving the consumer groups."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, chain

from pipeline import params, tasks
from pipeline.jobs import PIPELINE

DOC = f"""
# A day once more

Reads the records of the run's data interval (a day, UTC) again and writes what is missing: after rows were lost behind the
pipeline's back, or a table was made anew. Rows that are newer in the warehouse stay. The consumer groups do not move, so it may
run beside `{PIPELINE}_ingest`.

**How**: *Trigger → Backfill* with the first and the last day, or `airflow backfill create --dag-id {PIPELINE}_backfill
--from-date 2026-01-01 --to-date 2026-01-31`. Unpaused, it also reads each day again after midnight; that is why it starts paused,
and a backfill needs it unpaused.

**When a run is red**: see the task's log, then clear it. A table without records in the interval is skipped.
"""

# A run that is triggered over REST without a logical date has no data interval: it reads the day up to now.
START = "(data_interval_start | default(none) or dag_run.run_after - macros.timedelta(days=1))"
END = "(data_interval_end | default(none) or dag_run.run_after)"
FORMAT = "strftime('%Y-%m-%dT%H:%M:%SZ')"
INTERVAL = f"--since {{{{ {START}.{FORMAT} }}}} --until {{{{ {END}.{FORMAT} }}}}"

with DAG(
    f"{PIPELINE}_backfill",
    # Written out: a plain cron string has an empty data interval.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    max_active_tasks=2,
    dagrun_timeout=timedelta(hours=6),
    default_args=tasks.DEFAULTS,
    tags=[PIPELINE, "backfill"],
    doc_md=DOC,
    params={"tables": params.tables(), "dry_run": params.dry_run()},
):
    # An explicit range has no place to go on from: a job that is killed half-way starts it anew.
    parents, children = tasks.ingests(f"{INTERVAL} --skip-empty" + params.switch("dry-run"), timedelta(hours=2))
    chain(parents, children, *tasks.builds(tasks.DRY_RUN), tasks.finish())
