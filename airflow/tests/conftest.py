"""What the tests of the DAGs share, and the count of tests at the end: one that is skipped is a failure."""

from __future__ import annotations

import collections
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXECUTABLE = os.environ.get("LOCKSTEP_BIN") or str(ROOT / "bin/lockstep")
sys.path[:0] = [str(ROOT / "airflow/plugins"), str(ROOT / "airflow/dags")]


def load_dags():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=ROOT / "airflow/dags")
    assert not bag.import_errors
    return bag.dags


@pytest.fixture(scope="session")
def dags():
    return load_dags()


def pytest_terminal_summary(terminalreporter):
    suites = collections.defaultdict(collections.Counter)
    for outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(outcome, []):
            suites[Path(report.nodeid.split("::")[0]).stem][outcome] += 1
    for suite, counts in sorted(suites.items()):
        bad = counts["failed"] + counts["error"]
        rest = counts["skipped"] + counts["xfailed"] + counts["xpassed"]
        terminalreporter.write_line(f"{suite:<28} {counts['passed']:4} passed {bad:3} failed {rest:3} skipped")


def pytest_sessionfinish(session, exitstatus):
    stats = session.config.pluginmanager.get_plugin("terminalreporter").stats
    if exitstatus == 0 and any(stats.get(outcome) for outcome in ("skipped", "xfailed", "xpassed")):
        session.exitstatus = 1
