"""All checks of what the engine decided, on partitions that are folded."""

from collections.abc import Iterable, Mapping, Sequence

from streams.audit.auctions import Auctions, bids_of
from streams.audit.decisions import Decisions
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.limits import Limits
from streams.audit.losses import Losses
from streams.audit.outputs import Output, outputs
from streams.audit.reading import Log
from streams.audit.rulebook import Rulebook
from streams.audit.transfers import check_legs, transfers_of
from streams.audit.winners import Winners


class Checks:
    """Says in `findings` what does not follow."""

    def __init__(
        self,
        parts: Sequence[Partition],
        log: Log,
        rules: Rulebook,
        findings: Findings,
        *,
        limits: Limits,
    ) -> None:
        self._parts = parts
        self._by_number = {part.number: part for part in parts}
        self._log = log
        self._rules = rules
        self._findings = findings
        self._limits = limits

    def decisions(
        self,
        liquidations: Iterable[Output],
        histories: Mapping[str, list[Step]],
        *,
        tolerance_e8: int,
        exact: bool,
    ) -> None:
        """Marks and margins of liquidations; not `exact`: the marks alone."""
        decisions = Decisions(
            self._rules,
            self._findings,
            limits=self._limits,
            tolerance_e8=tolerance_e8,
            exact=exact,
        )
        decisions.check(liquidations, self._by_number, self._log, histories)

    def waterfall(
        self, liquidations: Iterable[Output], legs: Iterable[Output], until_us: float
    ) -> None:
        """Transfers, auctions, deleveraging and socialised losses.

        What those of before `until_us` follow from must be there. `legs` are those on `transfers`
        of which the accounts are known.
        """
        log, rules, findings = self._log, self._rules, self._findings
        transfers = transfers_of(self._parts)
        check_legs(transfers, findings, until_us)
        sales = Auctions(bids_of(self._parts, log), transfers, rules, findings)
        sales.check(outputs(log, "auctions", findings), until_us)
        winners = Winners(
            outputs(log, "deleveraging", findings),
            liquidations,
            rules,
            findings,
            limits=self._limits,
            partitions=len(self._parts),
        )
        winners.check(transfers, until_us)
        losses = Losses(self._by_number, log, rules, findings, limits=self._limits, winners=winners)
        losses.check(legs)
