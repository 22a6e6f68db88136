"""Writes the pages that follow from the code, and the picture of the live view from a real run."""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from schemas.dead_letter import DeadLetterReason
from schemas.registry import Field, record_schema
from schemas.topics import TOPICS, Topic
from streams.base.settings import Settings

DOCS = Path(__file__).parent
PICTURE = DOCS / "live-view.svg"
PICTURE_S = 98
"""The seeded crash begins 60 s after the market and falls for about 70 s: this is in its midst."""
UNUSED = frozenset({"volatility"})
"""Named and kept in history, but no part of the pipeline reads or writes them yet."""
SHARING = {
    "account": "keyed by account: all such topics have the same number of partitions",
    "broadcast": "every worker reads all of it; any number of partitions",
    "output": "no worker reads it; any number of partitions",
}
HEAD = "<!-- Written by `make docs`. Change the code it comes from, not this page. -->\n"


def pages() -> dict[str, str]:
    """File name to text of every generated page."""
    return {
        "topics.md": _topics_page(),
        "settings.md": _settings_page(),
        "dead-letters.md": _dead_letters_page(),
    }


def picture(path: Path, duration_s: float = PICTURE_S) -> None:
    """Run the pipeline on the seeded market and keep its last view; RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "view.svg"
        command = [sys.executable, "-m", "streams.run.cli", "up"]
        command += ["--duration", str(duration_s), "--svg", str(drawn)]
        status = subprocess.run(command, check=False).returncode
        if status:
            raise RuntimeError(f"plimsoll up ended with {status}: no picture")
        path.write_text(_self_contained(drawn.read_text("utf-8")), "utf-8")


def _self_contained(svg: str) -> str:
    """The picture without fonts from elsewhere: a viewer's own monospace font does."""
    text = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _topics_page() -> str:
    inputs = [t for t in TOPICS if t.sharing != "output" and t.name not in UNUSED]
    outputs = [t for t in TOPICS if t.sharing == "output" and t.name not in UNUSED]
    unused = [t for t in TOPICS if t.name in UNUSED]
    lines = [
        HEAD,
        "# Topics\n",
        "Every topic and every field. The wire format is in [schemas/README.md](../schemas/"
        "README.md): a zero byte, the schema's id in 4 bytes, the Avro body; keys are UTF-8.\n",
        "`_e8` is a 64-bit integer in units of 1e-8, `ppm` in parts per million; times are "
        "microseconds since the epoch, UTC. `a[].b` is field `b` of the records in array `a`.\n",
        "Every output carries the headers `plimsoll-id` (the record's id), `plimsoll-source` "
        "(topic-partition-offset of the input that caused it, where one did), `plimsoll-applied` "
        "(the offset behind what was applied of each topic of accounts: fills=120,collateral=45) "
        "and `plimsoll-version`.\n",
        "`transfers` is written by workers and read back by them.\n",
    ]
    for title, chosen in (("In", inputs), ("Out", outputs), ("Not used yet", unused)):
        lines += [f"## {title}\n", *_overview(chosen), ""]
    for topic in TOPICS:
        lines += list(_topic(topic))
    return "\n".join(lines)


def _overview(topics: list[Topic]) -> Iterator[str]:
    yield from _table_head("topic", "what for", "key", "clean-up", "schema id")
    for topic in topics:
        name, kept = f"[{topic.name}](#{topic.name})", f"{topic.cleanup} | {topic.schema_id}"
        yield f"| {name} | {topic.purpose} | {topic.keyed_by} | {kept} |"


def _topic(topic: Topic) -> Iterator[str]:
    schema = record_schema(topic.record)
    yield f"## {topic.name}\n"
    yield f"{schema.doc} Key: `{topic.keyed_by}`; {SHARING[topic.sharing]}.\n"
    yield from _table_head("field", "type", "unit", "meaning")
    for field in schema.fields:
        yield from _field_rows(field, field.name)
    yield ""


def _field_rows(field: Field, name: str) -> Iterator[str]:
    if field.kind == "array":
        yield f"| `{name}` | array of records | | {field.doc} |"
        for item in field.items:
            yield from _field_rows(item, f"{name}[].{item.name}")
        return
    yield f"| `{name}` | {_type(field)} | {_unit(field)} | {field.doc} |"


def _type(field: Field) -> str:
    kind = ", ".join(f"`{symbol}`" for symbol in field.symbols) or field.kind
    if field.nullable:
        return f"{kind} or null"
    return f"{kind}, default {field.default}" if field.has_default else kind


def _unit(field: Field) -> str:
    if field.timestamp:
        return "µs, UTC"
    if field.name.endswith("_ms"):
        return "ms, UTC"
    return {8: "1e-8", 6: "ppm"}.get(field.scale, "")


def _settings_page() -> str:
    lines = [
        HEAD,
        "# Settings\n",
        "Settings of a worker. Each is read from its variable in the environment; an option of "
        "`plimsoll worker` wins over it. Whole numbers must not be negative. Workers that "
        "`plimsoll up` starts read the same variables; it names `bootstrap`, `partitions`, "
        "`instance`, `session_timeout_s` and `web_port` itself.\n",
        *_table_head("setting", "variable", "default", "meaning"),
    ]
    for one in fields(Settings):
        variable = f"`PLIMSOLL_{one.name.upper()}`"
        lines.append(f"| {one.name} | {variable} | `{one.default}` | {one.metadata['meaning']} |")
    return "\n".join(lines) + "\n"


def _dead_letters_page() -> str:
    lines = [
        HEAD,
        "# Dead letters\n",
        "A record is applied, or it becomes a dead letter with its original bytes, or the worker "
        "stops; none is dropped. The fields are those of the topic "
        "[dead-letters](topics.md#dead-letters); what to do with one is in "
        "[operations](operations.md#dead-letters-and-quarantine).\n",
        *_table_head("reason", "meaning"),
    ]
    lines += [f"| `{reason.value}` | {reason.sentence} |" for reason in DeadLetterReason]
    return "\n".join(lines) + "\n"


def _table_head(*titles: str) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + " --- |" * len(titles)


def main() -> None:
    """Write the pages, and the picture unless told not to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only-pages", action="store_true", help="leave the picture as it is")
    parser.add_argument("--duration", type=float, default=PICTURE_S, help="seconds of the run")
    given = parser.parse_args()
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
    if not given.only_pages:
        picture(PICTURE, given.duration)


if __name__ == "__main__":
    main()
