"""The pipeline and its jobs, as `lockstep jobs` lists them. The list lies beside the DAGs: parsing them starts no process."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

_FILE = Path(os.environ.get("LOCKSTEP_JOBS") or Path(__file__).parents[1] / "jobs.json")
_LIST = json.loads(_FILE.read_text())

# Its DAGs are called after it: northwind_ingest, northwind_quality, …
PIPELINE: str = _LIST["pipeline"]
# The databases that its warehouse and its books are in.
WAREHOUSE_DB: str = _LIST["warehouse"]
OPS_DB: str = _LIST["ops"]


@dataclass(frozen=True)
class Job:
    name: str
    kind: str
    about: str
    # Of ingest jobs only: the table; which rule asks for which other table; those of them whose jobs come first; the topic's partitions.
    table: str = ""
    references: dict[str, str] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    partitions: int = 1

    @property
    def task_id(self) -> str:
        return self.name.replace("-", "_")

    @property
    def parents(self) -> set[str]:
        return set(self.after)


JOBS = {job["name"]: Job(**job) for job in _LIST["jobs"]}
INGESTS = [job for job in JOBS.values() if job.kind == "ingest"]
TABLES = [job.table for job in INGESTS]
BUILDS = [job for job in JOBS.values() if job.kind == "build"]
# `check-all` is all of them in one process, for people; here each has a task of its own.
CHECKS = [job for job in JOBS.values() if job.kind == "check" and job.name != "check-all"]
# What a record was refused for that mends itself when other records arrive. Any other rule waits for a person.
RULES_THAT_SETTLE = sorted({"not-in-postgres"}.union(*(job.references for job in INGESTS)))
