"""What Airflow may ask of the Docker engine (compose/docker-proxy.cfg): to run jobs, and nothing that reaches the machine."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from test_started import compose

CREATE = "/v1.41/containers/create"
NOBODY = "0" * 64
# As docker-py writes it.
JOB = json.dumps(
    {
        "Tty": False,
        "Env": ['A="b"\\c\n', "ä"],
        "Cmd": ["--help"],
        "Image": "lockstep",
        "HostConfig": {"NetworkMode": os.environ["LOCKSTEP_NETWORK"], "PortBindings": {}, "Mounts": []},
        "Labels": {"lockstep.dag": "a-test"},
    }
)
LIST = "/v1.41/containers/json?limit=-1&all=1&size=0&trunc_cmd=0&filters="
OWN = "%7B%22status%22%3A+%5B%22exited%22%5D%2C+%22label%22%3A+%5B%22lockstep.dag%3Da-test%22%5D%7D"


@pytest.fixture(scope="module", autouse=True)
def proxy():
    compose("up", "-d", "--wait", "--no-deps", "docker-proxy")


def ask_proxy(requests):
    """The status of each request, (method, path, body, headers), asked from where Airflow's scheduler stands."""
    program = """if True:
        import http.client, json, sys
        for method, path, body, headers in json.load(sys.stdin):
            connection = http.client.HTTPConnection("docker-proxy", 2375, timeout=30)
            body = None if body is None else body.encode()
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            print(connection.getresponse().status)
    """
    filled = [[*request, *(None, {})[len(request) - 2 :]] for request in requests]
    run = ["run", "--rm", "-T", "--no-deps", "--entrypoint", "python3", "airflow-scheduler", "-c", program]
    return [int(line) for line in compose(*run, input=json.dumps(filled)).stdout.split()]


def create(old, new):
    assert old in JOB
    return ["POST", CREATE, JOB.replace(old, new)]


def in_host(spelled):
    return create('"PortBindings": {}', spelled)


def test_jobs_may_be_started_and_ended():
    allowed = {
        "a job": (["POST", CREATE, JOB], 201),
        "a job with many settings": (create('"--help"', '"' + "x" * 50_000 + '"'), 201),
        "the version": (["GET", "/version"], 200),
        "the DAG's own containers": (["GET", LIST + OWN], 200),
        # The engine was asked, and knows no such container.
        "a start": (["POST", f"/v1.41/containers/{NOBODY}/start"], 404),
        "a stop": (["POST", f"/v1.41/containers/{NOBODY}/stop"], 404),
        "the output": (["POST", f"/v1.41/containers/{NOBODY}/attach?logs=0&stdout=1&stderr=1&stream=1"], 404),
        "a removal": (["DELETE", f"/v1.41/containers/{NOBODY}?v=False&link=False&force=True"], 404),
    }
    statuses = ask_proxy([request for request, _ in allowed.values()])
    made = subprocess.run(
        ["docker", "ps", "-aq", "--filter", "label=lockstep.dag=a-test"], capture_output=True, text=True
    ).stdout.split()
    subprocess.run(["docker", "rm", *made], check=True, capture_output=True)
    assert dict(zip(allowed, statuses, strict=True)) == {name: status for name, (_, status) in allowed.items()}


def test_whatever_reaches_the_machine_is_refused_and_logged():
    refused = {
        "a folder of the machine": in_host('"Binds": ["/:/host"]'),
        "the same, with a blank more": in_host('"Binds" : ["/:/host"]'),
        "the same, with letters that Go takes for others": in_host('"Bind\u017f": ["/:/host"]'),
        "the same, as a mount": create(
            '"Mounts": []', '"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]'
        ),
        "all rights": in_host('"Privileged": true'),
        "all rights, in other letters": in_host('"privileged": true'),
        "all rights, escaped": in_host('"Privilege\\u0064": true'),
        "a device": in_host('"Devices": [{"PathOnHost": "/dev/sda"}]'),
        "a capability": in_host('"CapAdd": ["SYS_ADMIN"]'),
        "a port of the machine": create('"PortBindings": {}', '"PortBindings": {"80/tcp": [{"HostPort": "80"}]}'),
        "the machine's processes": in_host('"PidMode": "host"'),
        "the machine's network": create(os.environ["LOCKSTEP_NETWORK"], "host"),
        "any network": create(f'"NetworkMode": "{os.environ["LOCKSTEP_NETWORK"]}", ', ""),
        "two networks": in_host('"NetworkMode": "host"'),
        "two networks, in two lines": in_host('"Mounts": [],\n"networkmode": "host"'),
        "one more network": create('"Tty": false', '"NetworkingConfig": {"EndpointsConfig": {"host": {}}}'),
        "root": create('"Tty": false', '"User": "0"'),
        "another image": create('"lockstep"', '"debian:bookworm-slim"'),
        "two images": create('"Tty": false', '"image": "debian:bookworm-slim"'),
        "more than can be looked at": create('"--help"', '"' + "x" * 70_000 + '"'),
        "more than can be looked at, with its headers": [
            "POST",
            CREATE,
            JOB.replace('"--help"', '"' + "x" * 56_000 + '"')[:-1] + ', "HostConfig": {"Binds": ["/:/host"]}}',
            {"X-Padding": "x" * 9_000},
        ],
        "a start that changes the container": ["POST", f"/v1.41/containers/{NOBODY}/start", '{"Binds": ["/:/host"]}'],
        "an engine's old habits": ["POST", f"/v1.23/containers/{NOBODY}/start"],
        "what others run": ["GET", "/v1.41/containers/json"],
        "what others run, behind the own": ["GET", LIST + OWN[: -len("%7D")] + "%2C+%22label%22%3A+%5B%5D%7D"],
        "a container by its name": ["GET", "/v1.41/containers/northwind-postgres-1/json"],
        "words to another program": ["POST", f"/v1.41/containers/{NOBODY}/attach?stdin=1&stream=1"],
        "a program in another container": ["POST", f"/v1.41/containers/{NOBODY}/exec", "{}"],
        "files of another container": ["GET", f"/v1.41/containers/{NOBODY}/archive?path=/run/secrets"],
        "another protocol": ["GET", "/version", None, {"Connection": "Upgrade", "Upgrade": "h2c"}],
        "the settings of the engine": ["GET", "/info"],
        "an image from elsewhere": ["POST", "/v1.41/images/create?fromImage=debian"],
        "a build": ["POST", "/v1.41/build"],
        "a volume": ["POST", "/v1.41/volumes/create", "{}"],
        "the removal of what has stopped": ["POST", "/v1.41/containers/prune"],
        "a way around": ["GET", "/v1.41/containers/json/../../info"],
    }
    statuses = ask_proxy(list(refused.values()))
    assert dict(zip(refused, statuses, strict=True)) == dict.fromkeys(refused, 403)
    logged = compose("logs", "--no-log-prefix", "docker-proxy").stdout
    assert f"403 POST {CREATE}" in logged and "403 GET /info" in logged
