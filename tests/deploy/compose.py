"""The compose file and what it mounts, read for the tests."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def xml(path: str) -> ElementTree.Element:
    return ElementTree.fromstring((ROOT / path).read_text("utf-8"))


COMPOSE = read("docker-compose.yml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one.get("build")}


def words(name: str) -> list[str]:
    """What follows `plimsoll` in the container of one of our services."""
    service = OURS[name]
    if "entrypoint" in service:
        shell, flag, line = service["entrypoint"]
        assert (shell, flag) == ("sh", "-c")
        found = line.replace("$$HOSTNAME", "host").replace('"', "").split()
        assert found[:2] == ["exec", "plimsoll"]
        return found[2:]
    return [re.sub(r"\$\{\w+\}", "secret", word) for word in service["command"]]


def mounts() -> Iterator[tuple[str, str, str]]:
    """Service, source and target of each volume."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            yield name, source, target


def variables() -> set[str]:
    """What the compose file takes from whoever starts it."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yml").read_text("utf-8")))


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            yield path.stem, panel
