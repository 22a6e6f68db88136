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
            "records": dict(sorted(self.counts.items())),
        }

    def sentences(self) -> dict[str, list[str]]:
        """What was found, by kind."""
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: value for name, value in named if isinstance(value, list)}
