"""What a job's end means for its task: the same for every way to run it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

log = logging.getLogger(__name__)

NOTHING_TO_DO = 99
# A retry cannot help: fail at once. Whatever is not listed (1, 75, 143, a killed process) is tried again.
PERMANENT = {2, 10, 65, 78}
MEANING = {
    1: "a bug, please report it",
    2: "the command line is wrong",
    10: "a check failed",
    65: "more rejects than allowed: look at `rejected`, mend the source, or raise the ratio",
    75: "something is away, busy or locked; if it stays, run `doctor`",
    78: "needs a person: the error names the choices",
    137: "killed; the next run goes on where it stopped",
    143: "stopped; the next run goes on where it stopped",
}


def last_json(lines: Iterable[str]) -> dict[str, Any] | None:
    """The last line that is a JSON object: the job's summary, whatever a library has printed behind it."""
    for line in reversed(list(lines)):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                continue
    return None


def settle(context: Any, code: int, lines: list[str], by_hand: str) -> dict[str, Any] | None:
    """Returns the XCom of a job that is done, or raises what makes Airflow skip, fail or retry the task."""
    summary = last_json(lines)
    if code == 0:
        return summary
    # A task that raises has no XCom of its own, but the run's summary wants to tell of it.
    context["ti"].xcom_push(key="result", value=summary or {"exit": code})
    if code == NOTHING_TO_DO:
        raise AirflowSkipException("there was nothing to do")
    said = json.dumps(summary) if summary else (lines[-1] if lines else "nothing")
    log.error("exit code %s (%s). It said: %s  By hand: %s", code, MEANING.get(code, "unknown"), said, by_hand)
    error = f"exit code {code}: {(summary or {}).get('error') or MEANING.get(code, 'see the log')}"
    raise AirflowFailException(error) if code in PERMANENT else AirflowException(error)


def skip_if(reason: str) -> None:
    """Tasks that a run's parameters leave out are skipped before anything is started."""
    if reason.strip():
        raise AirflowSkipException(reason.strip())
