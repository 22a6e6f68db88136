"""The page for analysts: every question is answered by the schema, through the door too."""

import re
from collections.abc import Iterator

import pytest

from docs.analysts import MARKER, PAGE, QUESTIONS, Question, page, questions
from sinks.definitions import tables, views
from sinks.door import Door
from sinks.door_engine import Question as Asked
from sinks.schema import create_tables
from sinks.store import Store

GIVEN = {"account": "acc-000001", "at": "2025-10-10 21:15:00"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("history"))
    with Store(f"chdb://{path}") as store:
        create_tables(store)
        yield path


def test_there_are_twenty_questions_and_the_page_has_them_word_for_word() -> None:
    asked = questions()
    assert len(asked) == 20
    assert QUESTIONS.read_text("utf-8").count(";\n") == 20
    text = PAGE.read_text("utf-8")
    assert re.findall(r"^### \d+\. (.+)$", text, re.M) == [one.title for one in asked]
    for one in asked:
        assert f"```sql\n{one.sql}\n```\n" in text


def test_the_page_lists_what_there_is() -> None:
    text = PAGE.read_text("utf-8").split(MARKER)[1]
    listed = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    assert listed == {one.name for one in [*tables(), *views()]}


@pytest.mark.embedded
@pytest.mark.parametrize("question", questions(), ids=lambda one: one.title)
def test_a_question_is_answered(folder: str, question: Question) -> None:
    used = {name: value for name, value in GIVEN.items() if f"{{{name}:" in question.sql}
    with Store(f"chdb://{folder}") as store:
        store.query(question.sql, used)
    with Door(folder) as door:
        answer = door.engine.answer(
            Asked(question.sql.encode(), "plimsoll", format="JSON", parameters=used)
        )
        assert b'"data"' in answer.body


@pytest.mark.embedded
def test_the_page_is_written_from_a_history(folder: str) -> None:
    with Store(f"chdb://{folder}") as store:
        store.create(
            "INSERT INTO liquidations (event_time, account_id, action, `marks.mark`) "
            "VALUES ('2025-10-10 21:15:00', 'acc-7', 'REDUCE', [])"
        )
        text = page(store)
    assert "`account` = `acc-7`" in text
    assert text.split(MARKER)[0] == PAGE.read_text("utf-8").split(MARKER)[0]
