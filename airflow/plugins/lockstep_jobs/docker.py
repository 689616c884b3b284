"""RUNNER=docker: a job in a container of the image."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from typing import Any

from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator
from docker.errors import APIError

from lockstep_jobs import settings
from lockstep_jobs.outcome import settle, skip_if


class DockerJobOperator(DockerOperator):
    """Runs `command` (a job and its flags) in a container that is gone afterwards, whatever happens.

    :param command: the job and its flags, as on a command line (templated)
    :param skip_reason: when this is not empty (templated), the task is skipped with it
    """

    template_fields = (*DockerOperator.template_fields, "skip_reason")
    # A flag's value that ends in .sh or .env is no file to be read.
    template_ext = ()
    ui_color = "#e8f1fb"

    def __init__(self, *, command: str, skip_reason: str = "", **kwargs: Any) -> None:
        defaults = {
            "image": settings.IMAGE,
            "docker_url": settings.DOCKER_URL,
            "network_mode": settings.NETWORK,
            # "success" would leave the container running when the task times out.
            "auto_remove": "force",
            # The folder of an engine on another machine is not ours to mount.
            "mount_tmp_dir": False,
            "environment": {**settings.job_settings(), "SUMMARY": "last-line"},
            # The last line alone may be a library's; all of them are searched for the last JSON object.
            "xcom_all": True,
        }
        if settings.CHECKS_CONFIG:
            defaults["environment"]["CHECKS_CONFIG"] = settings.CHECKS_CONFIG_INSIDE
        defaults["mounts"] = [
            {"source": there, "target": inside, "type": "bind", "read_only": True} for there, inside in mounted_files()
        ]
        super().__init__(command=command, **{**defaults, **kwargs})
        self.skip_reason = skip_reason

    def execute(self, context: Any) -> dict[str, Any] | None:
        skip_if(self.skip_reason)
        self.labels = labels(context)
        self.remove_what_is_left()
        self.environment = {**self.environment, **settings.job_context(context)}
        # Read when the job starts, so that neither a template nor the metadata database ever has them.
        self._private_environment = settings.job_secrets()
        code, lines = 0, []
        try:
            lines = super().execute(context) or []
        except DockerContainerFailedException as failure:
            code, lines = exit_code(failure), [str(line) for line in failure.logs or []]
        return settle(context, code, lines, self.by_hand())

    def remove_what_is_left(self) -> None:
        """Nobody waits for the container of a try whose worker was killed. It may still be at work; only its remains are removed."""
        same_task = [f"{name}={value}" for name, value in self.labels.items() if name != "lockstep.try"]
        for left in self.cli.containers(filters={"status": "exited", "label": same_task}, all=True):
            with suppress(APIError):  # somebody else was faster
                self.cli.remove_container(left["Id"])

    def on_kill(self) -> None:
        # Only this: who waits for the container, in `execute`, removes it. If both do, one is refused, and its error takes
        # the place of the job's own end.
        if self.container is None:
            return
        with suppress(APIError):  # it is gone already, as after a time-out
            self.cli.stop(self.container["Id"])

    def by_hand(self) -> str:
        run = ["docker", "run", "--rm", "--network", self.network_mode]
        for name in sorted({**settings.job_settings(), **self._private_environment}):
            run += ["-e", name]
        if settings.CHECKS_CONFIG:
            run += ["-e", f"CHECKS_CONFIG={settings.CHECKS_CONFIG_INSIDE}"]
        for there, inside in mounted_files():
            run += ["-v", f"{there}:{inside}:ro"]
        return shlex.join([*run, self.image, *shlex.split(self.command)])


def mounted_files() -> list[tuple[str, str]]:
    """Files on the engine's machine, and where a container sees them."""
    files = [(path, path) for path in settings.job_files()]
    if settings.CHECKS_CONFIG:
        files.append((settings.CHECKS_CONFIG, settings.CHECKS_CONFIG_INSIDE))
    return files


def exit_code(failure: DockerContainerFailedException) -> int:
    """The provider says it in its message only: `Docker container failed: {'Error': None, 'StatusCode': 78}`."""
    found = re.search(r"'StatusCode': (\d+)", str(failure))
    return int(found[1]) if found else 1


def labels(context: Any) -> dict[str, str]:
    """To find a container's task, and a task's container: docker ps --filter label=lockstep.dag=northwind_ingest"""
    ti = context["ti"]
    return {
        "lockstep.dag": ti.dag_id,
        "lockstep.run": ti.run_id,
        "lockstep.task": ti.task_id,
        "lockstep.map-index": str(ti.map_index),
        "lockstep.try": str(ti.try_number),
    }
