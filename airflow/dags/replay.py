"""Airflow DAG: judge refused records again, by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, chain

from pipeline import params, tasks
from pipeline.jobs import JOBS, PIPELINE

DOC = f"""
# Records out of quarantine

For records that a person has had to do something about: the source was mended, or a limit was changed. Choose a rule, a table, a
time; *Dry run* says what would become of them. What is good now is written and flows into the derived tables, what an older record has
lost against a newer one is closed as superseded, the rest stays with one attempt more.

What mends itself (a row whose parent comes later) needs none of this: `{PIPELINE}_ingest` tries it in every run, twelve times.

**When a run is red**: see the task's log. Refused again is no failure; `lockstep rejected` shows what still waits, and why.
"""

with DAG(
    f"{PIPELINE}_replay",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=tasks.DEFAULTS,
    tags=[PIPELINE, "quarantine"],
    doc_md=DOC,
    params={
        "rule": params.rule(),
        "table": params.table(),
        "since": params.since(),
        "dry_run": params.dry_run(),
    },
):
    flags = params.flag("only-rule", "rule") + params.flag("table") + params.flag("since") + params.switch("dry-run")
    replay = tasks.job_task(
        JOBS["replay-rejected"],
        # A limit high enough to be none: whoever asks for a replay means all of it.
        f"replay-rejected --max-records 1000000{flags}",
        execution_timeout=timedelta(hours=1),
    )
    chain(replay, *tasks.builds(tasks.DRY_RUN), tasks.finish())
