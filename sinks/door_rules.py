"""What the door lets through: statements that only read, and settings that lift no limit."""

import re
from collections.abc import Mapping

READS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"})
OUTSIDE = frozenset({"file", "python"})
"""Functions that a read-only query may still call, and that read what is not history."""

TOKEN = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.|'')*')|(?P<quoted>`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.|\"\")*\")"
    r"|(?P<word>\w+)|(?P<other>\S)",
    re.S,
)
SETTING = re.compile(r"[a-z][a-z0-9_]*")
LIFTS = re.compile(r"readonly|ddl|introspection|schema|template|path|file|backup|python|constraint")
"""Words in the names of settings that would lift the limits, or name files to read or write."""

SYNTAX_ERROR, READONLY, CONSTRAINT, NOT_IMPLEMENTED = 62, 164, 452, 48
NAMES = {
    SYNTAX_ERROR: "SYNTAX_ERROR", READONLY: "READONLY", NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    CONSTRAINT: "SETTING_CONSTRAINT_VIOLATION", 202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    516: "AUTHENTICATION_FAILED",
}  # fmt: skip
STATUSES = {
    400: {6, 26, 27, 36, 38, 41, 43, 44, 53, 62, 72, 130, 386, 452, 456, 457},
    403: {164, 497, 516},
    404: {16, 46, 47, 60, 73, 81, 115},
    408: {159},
    413: {158, 307, 396},
    501: {48},
    503: {202, 241},
}


class RefusedError(Exception):
    """A request that is answered with an error; `code` is ClickHouse's number of it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message}. ({NAMES[code]})")
        self.code = code


def check_statement(statement: str) -> None:
    """Raise RefusedError unless a statement only reads this history.

    `statement` is as the engine's own parser writes it (`formatQuerySingleLine`): one statement,
    no comments, strings in single quotes. The engine's readonly mode refuses the rest: tables and
    table functions that lead outside, and settings in the statement.
    """
    words = []
    for token in TOKEN.finditer(statement):
        if token["string"]:
            words.append("''")
        elif token["quoted"]:
            if "\\" in token["quoted"]:
                raise RefusedError(READONLY, "a name with a backslash in it is not read here")
            words.append(token["quoted"][1:-1])
        else:
            words.append(token[0])
    first = next((word for word in words if word != "("), "")
    if first.upper() not in READS:
        raise RefusedError(
            READONLY,
            f"{first.upper()} is not among what this port answers: {', '.join(sorted(READS))}",
        )
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if following == "(" and word.lower() in OUTSIDE:
            raise RefusedError(READONLY, f"{word}() reads what is not history")
        if word.upper() == "OUTFILE" and "INTO" in map(str.upper, words):
            raise RefusedError(READONLY, "INTO OUTFILE would write a file")


def check_settings(given: Mapping[str, str], limits: Mapping[str, int]) -> None:
    """Raise RefusedError where a setting is none, or would lift a limit; 0 is no limit."""
    for name, value in given.items():
        if not SETTING.fullmatch(name):
            raise RefusedError(SYNTAX_ERROR, f"{name!r} is no name of a setting")
        if LIFTS.search(name):
            raise RefusedError(READONLY, f"the setting {name} cannot be changed here")
        if name in limits:
            most = limits[name]
            if not value.isdecimal() or not 0 < int(value) <= most:
                raise RefusedError(
                    CONSTRAINT, f"{name} must be a whole number from 1 to {most}, not {value!r}"
                )


def code_of(error: Exception) -> int | None:
    """ClickHouse's number of an error; None for one that is not its or the door's."""
    found = re.search(r"Code: (\d+)\. ", str(error))
    return int(found[1]) if found else None


def status_of(code: int) -> int:
    """The HTTP status that goes with a code."""
    return next((status for status, codes in STATUSES.items() if code in codes), 500)
