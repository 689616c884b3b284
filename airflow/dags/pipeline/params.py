"""The fields of the trigger forms. Each is the flag of a job, with the flag's type and limits: a test compares them."""

from __future__ import annotations

from airflow.sdk import Param

from pipeline.jobs import INGESTS, TABLES

# Values end up on a command line: none may hold a blank or a quote.
TIME = r"^([0-9]+[smhd]|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?)$"


def tables() -> Param:
    return Param(
        [],
        type="array",
        title="Tables",
        description="None chosen means all of them.",
        items={"type": "string", "enum": TABLES},
        uniqueItems=True,
        examples=TABLES,
    )


def max_records() -> Param:
    return Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=100_000_000,
        title="Record limit",
        description="Each job reads at most this many records; the rest stays for the next run. Empty means all there are.",
    )


def max_reject_ratio() -> Param:
    return Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Highest share of rejects",
        description="A job stops (exit code 65) when more than this share of its records is refused. Empty means no limit.",
    )


def dry_run() -> Param:
    return Param(
        False,
        type="boolean",
        title="Dry run",
        description="Read and validate; write and commit nothing. Schema, derived tables and checks are left out.",
    )


def rule() -> Param:
    rules = sorted({"decode", "not-in-postgres"}.union(*(job.references for job in INGESTS)))
    return Param(
        None,
        type=["null", "string"],
        pattern="^[a-z0-9-]+$",
        title="Rule",
        description="Only records that broke this rule. Empty means any. `lockstep rules` lists all of them.",
        examples=rules,
    )


def table() -> Param:
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *TABLES],
        title="Table",
        description="Only records of this table. Empty means all tables.",
    )


def since() -> Param:
    return Param(
        None,
        type=["null", "string"],
        pattern=TIME,
        title="Since",
        description="Only records refused from this time on: 2026-01-31T08:00:00Z, 2026-01-31, 2h (ago). Empty means all.",
    )


def flag(name: str, param: str | None = None) -> str:
    """` --name VALUE` when the parameter has a value, else nothing."""
    value = f"params.{param or name.replace('-', '_')}"
    return f"{{{{ ' --{name} ' ~ {value} if {value} is not none else '' }}}}"


def switch(name: str) -> str:
    """` --name` when the parameter is true, else nothing."""
    value = f"params.{name.replace('-', '_')}"
    return f"{{{{ ' --{name}' if {value} else '' }}}}"


def each(name: str, param: str) -> str:
    """` --name VALUE` for every value of the parameter."""
    return f"{{% for value in params.{param} %}} --{name} {{{{ value }}}}{{% endfor %}}"
