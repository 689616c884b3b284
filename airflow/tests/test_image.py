"""The jobs' image: what is in it, and what it does not need."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from conftest import ROOT

IMAGE = os.environ.get("LOCKSTEP_IMAGE", "lockstep")
BASE = os.environ.get("BASE_IMAGE", "debian:bookworm-slim")
# Nothing that a job could lean on by accident.
CONFINED = ["--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True)


def inspect(image):
    return json.loads(docker("image", "inspect", image).stdout)[0]


@pytest.fixture(scope="module")
def image():
    return inspect(IMAGE)


def test_it_adds_little_to_its_base(image):
    added = image["Size"] - inspect(BASE)["Size"]
    assert 0 < added <= 40_000_000, f"{added / 1e6:.1f} MB"


def test_it_is_nobody_and_ends_on_sigterm(image):
    config = image["Config"]
    assert (config["User"], config["StopSignal"]) == ("65532:65532", "SIGTERM")
    assert config["Entrypoint"] == ["/usr/local/bin/lockstep"]
    assert "SUMMARY=last-line" in config["Env"]


def test_it_says_what_it_is(image):
    labels = image["Config"]["Labels"]
    head = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    assert labels["org.opencontainers.image.title"] == "lockstep"
    assert labels["org.opencontainers.image.revision"] == head
    said = docker("run", *CONFINED, IMAGE, "--version").stdout
    assert labels["org.opencontainers.image.version"] in said and head in said


def test_every_job_is_there_by_its_name():
    for job in json.loads((ROOT / "airflow/dags/jobs.json").read_text())["jobs"]:
        ran = docker("run", *CONFINED, "--entrypoint", job["name"], IMAGE, "--help")
        assert ran.returncode == 0 and "Usage:" in ran.stdout, f"{job['name']}: {ran.stderr}"


def test_its_last_line_is_the_summary_and_all_is_on_one_stream():
    ran = docker("run", *CONFINED, IMAGE, "migrate", "--clickhouse-host", "127.0.0.1", "--clickhouse-port", "1")
    assert ran.returncode == 75 and ran.stderr == ""
    assert json.loads(ran.stdout.splitlines()[-1])["exit"] == 75


def test_it_holds_no_secret_and_nothing_of_the_machine_that_built_it(image):
    told = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGE).stdout + json.dumps(image["Config"])
    assert "PASSWORD" not in told.upper() and str(ROOT) not in told
    inside = [
        "sh",
        "-c",
        "ls -d /src /*/.cargo /opt/rust; test -s /etc/ssl/certs/ca-certificates.crt && echo bundle",
    ]
    assert docker("run", *CONFINED, "--entrypoint", inside[0], IMAGE, *inside[1:]).stdout == "bundle\n"
