"""The catalogue and the schemas agree, and a change could be read by those who came before."""

from pathlib import Path

import pytest

import schemas.registry
from schemas.registry import Field, UnknownSchemaError, record_schema, schema_by_id
from schemas.topics import BY_NAME, BY_SCHEMA_ID, TOPICS
from tests.schemas.generated import RECORDS


def test_every_record_has_one_schema_file_and_the_reverse() -> None:
    folder = Path(schemas.registry.__file__).parent / "avro"
    assert sorted(path.stem for path in folder.glob("*.avsc")) == sorted(RECORDS)


def test_ids_and_names_are_unique() -> None:
    assert len(BY_SCHEMA_ID) == len(BY_NAME) == len(set(RECORDS)) == len(TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_keyed_by_a_field_of_its_record(topic: schemas.topics.Topic) -> None:
    schema = schema_by_id(topic.schema_id)
    assert schema is record_schema(topic.record)
    assert schema.schema_id == topic.schema_id
    assert topic.keyed_by in {field.name for field in schema.fields}
    assert schema.fields[0].name == "event_time"
    assert schema.fields[0].timestamp


@pytest.mark.parametrize("record", RECORDS)
def test_fields_say_their_unit_and_a_nullable_one_defaults_to_null(record: str) -> None:
    def check(fields: tuple[Field, ...]) -> None:
        names = [field.name for field in fields]
        assert len(names) == len(set(names))
        for field in fields:
            assert field.doc
            assert field.name.endswith("_e8") == (field.kind == "long" and field.scale == 8)
            assert field.name.endswith("_ppm") == (field.kind == "long" and field.scale == 6)
            assert not field.nullable or (field.has_default and field.default is None)
            assert (field.kind == "enum") == bool(field.symbols)
            check(field.items)

    check(record_schema(record).fields)


def test_what_is_not_in_the_catalogue_is_unknown() -> None:
    with pytest.raises(UnknownSchemaError, match="no record is called 'nothing'"):
        record_schema("nothing")
    with pytest.raises(UnknownSchemaError, match="no schema has the id 999"):
        schema_by_id(999)


def test_a_reader_is_needed_for_every_type() -> None:
    with pytest.raises(ValueError, match="no reader for the type 'float'"):
        schemas.registry._field({"name": "x", "type": "float"})
    with pytest.raises(ValueError, match="null and one other"):
        schemas.registry._field({"name": "x", "type": ["string", "null"]})
