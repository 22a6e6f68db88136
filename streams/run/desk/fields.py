"""Values of a JSON document, each with the path by which its errors name it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from schemas.units import LIMIT_E8, PPM, e8

DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.([0-9]+))?")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BookError(ValueError):
    """A document that is not what it must be: the path, the value and the rule broken."""


class Literal(str):
    """A JSON number as it is written: no float ever comes between."""

    __slots__ = ()


Members = tuple[tuple[str, Any], ...]
"""An object with its keys as they stand, repeated ones too."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value and where it stands."""

    path: str
    value: Any

    @staticmethod
    def of(text: str) -> "Field":
        """The whole document. Raises BookError where it is no JSON."""
        try:
            value = json.loads(
                text,
                parse_int=Literal,
                parse_float=Literal,
                parse_constant=Literal,
                object_pairs_hook=tuple,
            )
        except (json.JSONDecodeError, RecursionError) as error:
            raise BookError(f"this is no JSON document: {error}") from error
        return Field("", value)

    def fail(self, rule: str) -> NoReturn:
        raise BookError(f"{self.path or 'the document'} {shown(self.value)} {rule}")

    def table(self, required: Sequence[str], optional: Sequence[str] = ()) -> "dict[str, Field]":
        """The members of an object with these keys and no others."""
        found = self.entries()
        for name in found:
            if name not in required and name not in optional:
                known = ", ".join((*required, *optional))
                raise BookError(f"{found[name].path} is unknown, known are {known}")
        for name in required:
            if name not in found:
                raise BookError(f"{self._member(name)} is missing")
        return found

    def entries(self) -> "dict[str, Field]":
        """The members of an object with any keys."""
        if not isinstance(self.value, tuple):
            self.fail("is not an object")
        found: dict[str, Field] = {}
        for name, value in self.value:
            member = Field(self._member(name), value)
            if name in found:
                raise BookError(f"{member.path} stands twice")
            if not name:
                raise BookError(f"{self.path} has a key that is empty")
            found[name] = member
        return found

    def items(self) -> "list[Field]":
        if not isinstance(self.value, list):
            self.fail("is not an array")
        return [Field(f"{self.path}[{n}]", value) for n, value in enumerate(self.value)]

    def row(self, names: Sequence[str]) -> "list[Field]":
        """The items of an array with one for each name."""
        items = self.items()
        if len(items) != len(names):
            self.fail(f"is not [{', '.join(names)}]")
        return items

    def text(self) -> str:
        if not isinstance(self.value, str) or isinstance(self.value, Literal) or not self.value:
            self.fail("is not a text")
        return self.value

    def choice(self, names: Sequence[str]) -> str:
        if self.value not in names or isinstance(self.value, Literal):
            self.fail(f"is none of {', '.join(names)}")
        return str(self.value)

    def amount_e8(self, least_e8: int = -LIMIT_E8) -> int:
        """A number at 1e-8, exact."""
        amount = self._whole(8)
        if amount < least_e8:
            self.fail("must be positive" if least_e8 else "must not be negative")
        return amount

    def rate_ppm(self, most: int = 1, least: int = 0) -> int:
        """A fraction in ppm, exact."""
        rate = self._whole(6)
        if not least * PPM <= rate <= most * PPM:
            self.fail(f"is outside {least}..{most}")
        return rate

    def time_us(self) -> int:
        """Microseconds since the epoch."""
        text = self.value
        if not isinstance(text, str) or not TIME.fullmatch(text):
            self.fail("is not a time such as 2026-06-26T08:00:00Z")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail("is not a time there ever is")
        return (moment - EPOCH) // timedelta(microseconds=1)

    def _member(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _whole(self, places: int) -> int:
        """The number in units of its last permitted decimal."""
        value, too_long = self.value, f"has more than {places} decimals"
        written = DECIMAL.fullmatch(value) if isinstance(value, str) else None
        if not (written or isinstance(value, Literal)):
            self.fail("is not a number")
        # Of a number only the value counts (1e-3, 5.000000000), a text is as short as it says.
        if written and not isinstance(value, Literal) and len(written[3] or "") > places:
            self.fail(too_long)
        try:
            whole, rest = divmod(e8(value), 10 ** (8 - places))
        except OverflowError:
            self.fail("is beyond 9,999,999,999.99999999")
        except ValueError as error:
            self.fail(too_long if "decimals" in str(error) else "is not a number")
        if rest:
            self.fail(too_long)
        return int(whole)


def shown(value: Any) -> str:
    """A value as an error shows it: shortly, and as it is written."""
    if isinstance(value, tuple):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return "[...]" if value else "[]"
    if isinstance(value, Literal):
        return value[:40]
    return json.dumps(value, ensure_ascii=False)[:80]
