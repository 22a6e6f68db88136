"""The jars are whole or not there at all, Maven is heard when it fails; classes are kept once."""

from pathlib import Path

import pytest

from tests.kafka.classes import shared_classes
from tests.kafka.jars import JarsMissingError, jars_folder, resolve_jars

WRITES_A_JAR = 'for last; do :; done; touch "${last#-DoutputDirectory=}/a.jar"'


def fake_maven(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def test_jars_are_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f'echo called >> "{tmp_path}/calls"; {WRITES_A_JAR}'
    fake_maven(tmp_path, monkeypatch, script)
    first, second = resolve_jars(tmp_path / "cache"), resolve_jars(tmp_path / "cache")
    assert first == second == jars_folder(tmp_path / "cache")
    assert [path.name for path in first.iterdir()] == ["a.jar"]
    assert (tmp_path / "calls").read_text().splitlines() == ["called"]


def test_a_failure_shows_mavens_last_lines_and_leaves_no_jars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_maven(tmp_path, monkeypatch, f"{WRITES_A_JAR}; echo 'no route to host' >&2; exit 1")
    with pytest.raises(JarsMissingError, match=r"ended with 1(.|\n)*no route to host"):
        resolve_jars(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kafka.lock"]


def test_a_jvm_is_asked_for_its_classes_once_though_it_keeps_none(tmp_path: Path) -> None:
    asked: list[str] = []
    options = {shared_classes(tmp_path / "kafka-1", asked.append) for _ in range(2)}
    assert options == {f"-XX:SharedArchiveFile={tmp_path}/kafka-1.jsa"}
    assert len(asked) == 1
    assert asked[0].startswith(f"-XX:ArchiveClassesAtExit={tmp_path}/")
