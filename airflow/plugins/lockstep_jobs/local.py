"""RUNNER=local: a job as a process on this machine, for people without Docker."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from typing import Any

from airflow.sdk import BaseOperator

from lockstep_jobs import settings
from lockstep_jobs.outcome import settle, skip_if

# As `docker stop` does: after this long a job that was told to stop is killed.
GRACE_SECONDS = 10


class LocalJobOperator(BaseOperator):
    """Runs `command` (a job and its flags) with the executable on this machine.

    :param command: the job and its flags, as on a command line (templated)
    :param skip_reason: when this is not empty (templated), the task is skipped with it
    """

    template_fields = ("command", "skip_reason")
    ui_color = "#e8f1fb"

    def __init__(self, *, command: str, skip_reason: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command = command
        self.skip_reason = skip_reason
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> dict[str, Any] | None:
        skip_if(self.skip_reason)
        code, lines = self.run_job([settings.EXECUTABLE, *shlex.split(self.command)], job_environment(context))
        return settle(context, code, lines, self.by_hand())

    def run_job(self, arguments: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
        # A session of its own, so that it can be told to stop with whatever it has started; and, as a container does, it
        # outlives a worker that is killed. The jobs' locks keep it and the retry apart.
        self._process = subprocess.Popen(
            arguments,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        lines = []
        try:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                lines.append(line.rstrip())
                self.log.info("%s", lines[-1])
            code = self._process.wait()
        finally:
            self.on_kill()
        # A shell's and Docker's way to name a signal.
        return (code if code >= 0 else 128 - code), lines

    def on_kill(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    def by_hand(self) -> str:
        return shlex.join([settings.EXECUTABLE, *shlex.split(self.command)])


def job_environment(context: Any) -> dict[str, str]:
    """The settings come with Airflow's own environment; the rest of that, its database's password too, is not the job's business."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    return {**inherited, **settings.job_context(context), "SUMMARY": "last-line"}
