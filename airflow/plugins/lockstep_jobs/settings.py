"""What the deployment says, by the environment of Airflow's processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

RUNNER = os.environ.get("RUNNER", "docker")
if RUNNER not in ("docker", "local"):
    raise ValueError(f"RUNNER is docker or local, not {RUNNER!r}")

# RUNNER=local: the executable.
EXECUTABLE = os.environ.get("LOCKSTEP_BIN", "lockstep")

# RUNNER=docker: the image, the engine, and the network in which the servers have the names that the jobs are told.
IMAGE = os.environ.get("LOCKSTEP_IMAGE", "lockstep")
DOCKER_URL = os.environ.get("LOCKSTEP_DOCKER_URL") or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
NETWORK = os.environ.get("LOCKSTEP_NETWORK", "host")

# RUNNER=docker: the checks' settings, a file on the engine's machine, and where a container sees it.
CHECKS_CONFIG = os.environ.get("CHECKS_CONFIG")
CHECKS_CONFIG_INSIDE = "/etc/northwind/checks.toml"

# The jobs' own settings are handed on as they are. With RUNNER=docker, PIPELINE is a file in the image: FROM lockstep, COPY shop.toml /.
_LINKS = ("KAFKA_", "POSTGRES_", "CLICKHOUSE_", "CONNECT_")
_PREFIXES = (*_LINKS, "TLS_")
_NAMES = (
    "PIPELINE",
    "TLS",
    "LOG_FORMAT",
    "RUST_LOG",
    "RULES",
    "LIMITS",
    "VERIFY",
    "SLOT",
    "TOPIC_PREFIX",
    "SIDE_BY_SIDE",
)
_SECRETS = (
    *("POSTGRES_PASSWORD", "CLICKHOUSE_PASSWORD", "KAFKA_SASL_PASSWORD", "CONNECT_PASSWORD"),
    *(f"{link}TLS_KEY_PASSWORD" for link in ("", *_LINKS)),
)
# RUNNER=docker: certificates and keys, files on the engine's machine that a container sees under the same path.
_FILES = tuple(f"{link}TLS_{what}_FILE" for link in ("", *_LINKS) for what in ("CA", "CERT", "KEY"))


def job_settings() -> dict[str, str]:
    """Addresses, names and switches: what may be seen."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name.startswith(_PREFIXES) or name in _NAMES) and name.removesuffix("_FILE") not in _SECRETS
    }


def job_secrets() -> dict[str, str]:
    """Passwords. A container does not see this machine's files, so what NAME_FILE points at is read here."""
    secrets = {}
    for name in _SECRETS:
        if file := os.environ.get(f"{name}_FILE"):
            secrets[name] = Path(file).read_text().rstrip("\n")
        elif name in os.environ:
            secrets[name] = os.environ[name]
    return secrets


def job_files() -> list[str]:
    """Files that the settings name."""
    return sorted({os.environ[name] for name in _FILES if os.environ.get(name)})


def job_context(context: Any) -> dict[str, str]:
    """Whose run this is: a job writes it beside its own into `northwind_ops`."""
    ti = context["ti"]
    return {
        "AIRFLOW_CTX_DAG_ID": ti.dag_id,
        "AIRFLOW_CTX_DAG_RUN_ID": ti.run_id,
        "AIRFLOW_CTX_TASK_ID": ti.task_id,
        "AIRFLOW_CTX_TRY_NUMBER": str(ti.try_number),
    }
