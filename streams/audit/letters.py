"""Dead letters: a record of the inputs is applied, or has exactly one letter with a true reason."""

from collections import defaultdict
from collections.abc import Collection

from schemas.dead_letter import DeadLetterReason as Reason
from schemas.dead_letter import RefusedRecord
from schemas.record_codec import decode
from streams.audit.findings import Findings
from streams.audit.judging import Verdict
from streams.audit.reading import Entry, Log, Place
from streams.audit.rulebook import Record


class Letters:
    """All letters by the place of the record they are about."""

    def __init__(self, log: Log, findings: Findings) -> None:
        self._findings = findings
        self._waiting: dict[Place, dict[int, list[Record]]] = defaultdict(dict)
        for place, entries in log.items():
            for entry in entries if place[0] == "dead-letters" else ():
                try:
                    _, letter = decode(entry.value, "dead_letter")
                except RefusedRecord as refusal:
                    where = f"{place[0]}-{place[1]} offset {entry.offset}"
                    self._say(f"{where} is not a letter: {refusal.message}")
                    continue
                of_place = self._waiting[letter["topic"], letter["partition"]]
                of_place.setdefault(letter["offset"], []).append(letter)

    def has(self, place: Place, offset: int) -> bool:
        """Whether the record at a place has a letter that was not looked at yet."""
        return offset in self._waiting[place]

    def applied(
        self, place: Place, entry: Entry, verdict: Verdict, also: Collection[Reason] = ()
    ) -> bool:
        """Whether this record must be applied; says so where its letters say otherwise.

        `also` are faults that only its predecessors tell: an id used before, a full account.
        """
        letters = self._waiting[place].pop(entry.offset, None)
        repeated = Reason.DUPLICATE_ID in also
        good = not verdict.sure and not repeated
        if letters is None:
            if not good:
                faults = {*verdict.faults, *([Reason.DUPLICATE_ID] if repeated else ())}
                self._say(f"{_where(place, entry)} is {_names(faults)} and has no letter")
            return good
        if len(letters) > 1:
            self._say(f"{_where(place, entry)} has {len(letters)} letters")
        letter, faults = letters[0], {*verdict.faults, *also}
        if (letter["key"], letter["value"]) != (entry.key, entry.value):
            self._say(f"the letter of {_where(place, entry)} does not keep the record's bytes")
        if letter["reason"] in faults:
            return False
        what = f"which is {_names(faults)}" if faults else "which breaks no rule"
        self._say(f"a letter says {letter['reason']} of {_where(place, entry)}, {what}")
        return good

    def finish(self, log: Log, *, running: bool = False) -> None:
        """What is left is about records that are not there; `running`: or that came since."""
        for (topic, partition), letters in self._waiting.items():
            entries = log.get((topic, partition))
            for offset in letters:
                if running and (not entries or offset > entries[-1].offset):
                    continue
                self._say(f"a letter is about {topic}-{partition} offset {offset}, which is not")

    def _say(self, sentence: str) -> None:
        self._findings.letters.append(sentence)


def _where(place: Place, entry: Entry) -> str:
    return f"{place[0]}-{place[1]} offset {entry.offset}"


def _names(faults: Collection[Reason]) -> str:
    return " or ".join(sorted(reason.value for reason in faults))
