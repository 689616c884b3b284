"""docker-compose.yml, read: what can be said of it without starting anything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = FILE["services"]
ONCE = {"topics", "connector", "migrate", "airflow-init"}
JOBS = {name for name, service in SERVICES.items() if service.get("profiles") == ["jobs"]}
SERVERS = set(SERVICES) - ONCE - JOBS


def test_every_job_is_a_service():
    jobs = {job["name"] for job in json.loads((ROOT / "airflow/dags/jobs.json").read_text())["jobs"]}
    # These are about the executable itself; the last one is other names of two that are there.
    # `job` is all of them, for other pipelines.
    assert {*JOBS, "migrate"} - {"job"} == jobs - {"completions", "generate", "init", "jobs", "link", "quarantine"}
    for job in JOBS:
        assert SERVICES[job]["entrypoint"] == (["lockstep"] if job == "job" else ["lockstep", job])


def test_a_job_can_write_nothing_and_has_no_password_in_its_environment():
    for job in {*JOBS, "migrate"}:
        service = SERVICES[job]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], job
        assert all(volume.endswith(":ro") for volume in service.get("volumes", [])), job
        assert {"POSTGRES_PASSWORD_FILE", "CLICKHOUSE_PASSWORD_FILE"} <= set(service["environment"]), job


def test_no_password_stands_in_the_file():
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            assert not re.search(r"(PASSWORD|SECRET_KEY|JWT_SECRET|CONN)$", variable), f"{name}: {variable}"
    assert all(secret["file"].startswith(".secrets/") for secret in FILE["secrets"].values())
    assert "/.secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_servers_are_waited_for_until_they_are_healthy_and_once_jobs_until_they_are_done():
    for server in SERVERS:
        assert SERVICES[server]["healthcheck"] and SERVICES[server]["restart"] == "unless-stopped", server
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}, f"{name} waits for {other}"


def test_every_image_has_a_version_and_can_be_replaced():
    for name, service in SERVICES.items():
        variable, default = re.fullmatch(r"\$\{(\w+_IMAGE):-([^}]+)\}", service["image"]).groups()
        assert variable == "LOCKSTEP_IMAGE" or re.search(r":\d[\w.-]*$", default), f"{name}: {default}"


def test_ports_are_this_machines_alone_and_can_be_moved():
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-(\d+)\}:\d+", port), f"{name}: {port}"


def test_only_the_proxy_has_the_engines_socket():
    assert [name for name in SERVICES if "docker.sock" in str(SERVICES[name].get("volumes"))] == ["docker-proxy"]


def test_servers_and_airflow_meet_nowhere():
    for name, service in SERVICES.items():
        networks = set(service["networks"])
        assert networks == {"data"} or "data" not in networks, name
    assert FILE["networks"]["airflow"]["internal"] and FILE["networks"]["docker"]["internal"]


def properties(file):
    lines = (ROOT / "local-stack/conf" / file).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


# Addresses, and what suits a small machine or a fast restart only.
KAFKA_OWN = """process.roles node.id controller.quorum.voters listeners advertised.listeners listener.security.protocol.map
    controller.listener.names inter.broker.listener.name log.dirs broker.session.timeout.ms broker.heartbeat.interval.ms
    num.network.threads num.io.threads background.threads num.recovery.threads.per.data.dir log.segment.bytes
    log.cleaner.threads log.cleaner.dedupe.buffer.size"""
# The image sets the converters; the topics are made with one partition and one replica before the worker starts.
CONNECT_OWN = """bootstrap.servers listeners rest.advertised.host.name key.converter value.converter plugin.discovery
    config.storage.replication.factor offset.storage.replication.factor status.storage.replication.factor
    offset.storage.partitions status.storage.partitions reconnect.backoff.max.ms session.timeout.ms heartbeat.interval.ms"""


@pytest.mark.parametrize(
    ("file", "service", "prefix", "own"),
    [
        ("kafka.properties", "kafka", "KAFKA_", KAFKA_OWN),
        ("connect.properties", "kafka-connect", "(?:CONNECT_)?", CONNECT_OWN),
    ],
)
def test_the_servers_are_set_as_those_of_the_local_stack(file, service, prefix, own):
    environment = SERVICES[service]["environment"]
    names = {
        re.sub(f"^{prefix}", "", variable).lower().replace("_", "."): str(environment[variable])
        for variable in environment
    }
    local = properties(file)
    assert set(own.split()) <= set(local)
    for name, value in local.items():
        if name not in own.split():
            assert names.get(name) == value, name
