"""The compose file starts what the code is: commands, variables, ports and files all exist."""

import re
from dataclasses import fields

import pytest
import yaml

from streams.base.settings import Settings
from streams.run.cli import main
from tests.deploy.compose import COMPOSE, OURS, ROOT, SERVICES, mounts, read, variables, words, xml

KEYS = {
    "image", "build", "restart", "read_only", "tmpfs", "cap_drop", "security_opt", "logging",
    "environment", "ports", "volumes", "healthcheck", "mem_limit", "cpus", "pids_limit", "ulimits",
    "profiles", "depends_on", "command", "entrypoint", "stop_grace_period",
}  # fmt: skip
CONDITIONS = {"service_healthy", "service_completed_successfully", "service_started"}
UNWATCHED = {"topics", "market", "sink", "kafka-exporter"}
"""They end by themselves, or end when they fail, and are started again."""


def test_there_is_a_service_a_role() -> None:
    assert set(SERVICES) == {
        "kafka", "schema-registry", "clickhouse", "topics", "worker", "sink", "market",
        "kafka-exporter", "prometheus", "grafana",
    }  # fmt: skip
    assert set(OURS) == {"topics", "worker", "sink", "market"}
    assert len({one["image"] for one in OURS.values()}) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert re.fullmatch(r"[\w./-]+:v?\d[\w.-]*\d", service["image"]), "an exact tag"
    assert service["restart"] in ("unless-stopped", "no")
    assert {"mem_limit", "cpus", "pids_limit", "logging"} <= set(service)
    assert "no-new-privileges:true" in service["security_opt"]
    assert ("healthcheck" in service) == (name not in UNWATCHED)


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_exists_and_can_come_about(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[other]["restart"] == "no"
        profiles = SERVICES[other].get("profiles", [])
        assert not profiles or profiles == SERVICES[name].get("profiles")


def test_ports_are_on_loopback_and_no_two_the_same() -> None:
    ports = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in ports)
    assert len(set(ports)) == len(ports)


def test_what_is_mounted_exists() -> None:
    named = set()
    for service, source, target in mounts():
        assert target.startswith("/"), service
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{service}: {source}"
        else:
            named.add(source)
    assert named == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_that_plimsoll_takes(name: str) -> None:
    command, *arguments = words(name)
    main.commands[command].make_context(command, list(arguments))
    assert arguments[arguments.index("--bootstrap") + 1] == "kafka:9092"


@pytest.mark.parametrize("name", OURS)
def test_a_variable_is_one_that_the_command_reads(name: str) -> None:
    read_by_command = {
        option.envvar for option in main.commands[words(name)[0]].params if option.envvar
    }
    if name == "worker":
        read_by_command |= {f"PLIMSOLL_{one.name.upper()}" for one in fields(Settings)}
    given = OURS[name].get("environment", {})
    assert set(given) <= read_by_command
    if name == "worker":
        Settings.read(given)


def test_workers_find_their_topics_and_differ_by_name() -> None:
    topics, worker = words("topics"), OURS["worker"]["environment"]
    assert topics[topics.index("--partitions") + 1] == worker["PLIMSOLL_PARTITIONS"]
    assert '--instance "$$HOSTNAME"' in OURS["worker"]["entrypoint"][2]
    assert "container_name" not in OURS["worker"]
    assert "ports" not in OURS["worker"]


def test_the_workers_health_is_asked_where_it_answers() -> None:
    worker = OURS["worker"]
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", worker["healthcheck"]["test"][-1])
    assert asked
    assert asked[1] == worker["environment"]["PLIMSOLL_HEALTH_PORT"]
    assert f'"{asked[2]}"' in (ROOT / "streams/run/health.py").read_text("utf-8")


def test_kafka_answers_where_others_look_for_it() -> None:
    kafka = SERVICES["kafka"]["environment"]
    listeners = dict(re.findall(r"(\w+)://\w*:(\d+)", kafka["KAFKA_LISTENERS"]))
    told = re.findall(r"(\w+)://(\w+):(\d+)", kafka["KAFKA_ADVERTISED_LISTENERS"])
    assert told == [("INSIDE", "kafka", "9092"), ("HOST", "localhost", "29092")]
    assert all(listeners[name] == port for name, _, port in told)
    assert f"127.0.0.1:{listeners['HOST']}:{listeners['HOST']}" in SERVICES["kafka"]["ports"]
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"1@kafka:{listeners['CONTROLLER']}"
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_clickhouses_users_are_those_that_others_are() -> None:
    users = xml("deploy/clickhouse/users.xml")
    taken = {one.attrib["from_env"] for one in users.iter("password")}
    assert taken <= set(SERVICES["clickhouse"]["environment"])
    names = {one.tag: one for one in users.find("users") or ()}
    assert "remove" in names["default"].attrib
    assert "http://plimsoll:" in OURS["sink"]["command"][-1]
    assert names["plimsoll"].findtext("access_management") == "1"
    profile = names["analyst"].findtext("profile")
    assert users.findtext(f"profiles/{profile}/readonly") in ("1", "2")
    granted = [one.text or "" for one in names["analyst"].iter("query")]
    assert granted
    assert all(one.startswith(("GRANT SELECT ON", "GRANT SHOW ON")) for one in granted)


def test_what_must_be_chosen_is_on_the_page() -> None:
    page = (ROOT / "docs/deployment.md").read_text("utf-8")
    assert [name for name in variables() if f"`{name}`" not in page] == []
    assert [name for name in SERVICES if f"`{name}`" not in page] == []


def test_the_image_holds_what_it_is_built_from() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    let_in = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in let_in, source
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert 'ENTRYPOINT ["plimsoll"]' in lines
    assert "compile" in main.commands


def test_every_file_of_the_deployment_is_read_by_it() -> None:
    mounted = [(ROOT / source).resolve() for _, source, _ in mounts() if source.startswith(".")]
    for path in (ROOT / "deploy").rglob("*"):
        if path.is_file():
            assert any(path.is_relative_to(one) for one in mounted), path
        if path.suffix == ".yml":
            assert isinstance(read(str(path.relative_to(ROOT))), dict)
    assert isinstance(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), dict)
