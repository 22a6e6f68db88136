"""What an audit found: human sentences by kind, and how much was read."""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Findings:
    """Sentences, each about one thing that is not as the inputs have it.

    `wrong`: accounts that differ; `lost`, `twice`: the records that explain a difference;
    `duplicate_ids`: ids given again, or out of their order; `unjustified`: liquidations whose
    marks or margins do not hold; `unbalanced`: transfers and sums that are not conserved;
    `letters`: dead letters that should not be, and those that should.
    """

    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    duplicate_ids: list[str] = field(default_factory=list)
    unjustified: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Records read by topic."""
    unread: Counter[str] = field(default_factory=Counter)
    """Of a running engine: records by topic that it had not read yet."""
    unjudged: int = 0
    """Of a running engine: liquidations younger than what is known of its accounts."""
    transfers: Counter[str] = field(default_factory=Counter)
    """By kind."""
    moments: int = 0
    """At which all accounts were added up."""
    recomputed: int = 0
    """Liquidations whose equity and margin were computed again."""

    @property
    def clean(self) -> bool:
        return not any(self.sentences().values())

    def summary(self) -> dict[str, object]:
        """Numbers for JSON."""
        return {
            "clean": self.clean,
            **{kind: len(sentences) for kind, sentences in self.sentences().items()},
            "recomputed": self.recomputed,
            "moments": self.moments,
            "transfers": dict(sorted(self.transfers.items())),
            "unread": {topic: count for topic, count in sorted(self.unread.items()) if count},
            "unjudged": self.unjudged,
            "records": dict(sorted(self.counts.items())),
        }

    def sentences(self) -> dict[str, list[str]]:
        """What was found, by kind."""
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: value for name, value in named if isinstance(value, list)}
