"""How a job of the pipeline runs as a task. A DAG says only which: `JobOperator(task_id=…, command="ingest-customers …")`.

RUNNER=docker runs it in a container of the image, RUNNER=local starts the executable. The contract is the same, and one test
holds both to it: the job's last JSON line is the XCom, its exit code says whether to retry (`outcome.py`).
"""

from lockstep_jobs.settings import RUNNER

if RUNNER == "local":
    from lockstep_jobs.local import LocalJobOperator as JobOperator
else:
    from lockstep_jobs.docker import DockerJobOperator as JobOperator

__all__ = ["JobOperator"]
