"""A book as a JSON document (docs/evaluate.md) as the columns that `risk.evaluate` takes."""

from dataclasses import dataclass

import numpy as np

from risk.book import Book, Kind, Market
from risk.holdings import Assets, Rules, StepTable, Terms, Tiers
from risk.profile import DEFAULT, Profile
from schemas.units import E8, PPM, Floats, Int64s
from streams.run.desk.accounts import Accounts, BucketName, Holding
from streams.run.desk.fields import BookError, Field
from streams.run.desk.listings import AssetList, Instruments, find


@dataclass(frozen=True, slots=True)
class BookFile:
    """A document: what it holds, at which prices, and what its rules are made of."""

    profile: str | None
    instruments: Instruments
    assets: AssetList
    buckets: list[BucketName]
    held: list[Holding]  # positions and orders
    book: Book
    market: Market
    fixed_e8: Int64s  # [A] prices of assets that no instrument prices

    @staticmethod
    def of(text: str) -> "BookFile":
        """The document of a text. Raises BookError, naming the path, the value and the rule."""
        members = Field.of(text).table(
            ("assets", "instruments", "accounts"),
            ("description", "profile", "time", "daily_moves"),
        )
        assets = AssetList.of(members["assets"])
        instruments = Instruments.of(members["instruments"], assets.names)
        accounts = Accounts.of(members["accounts"], instruments, assets)
        if "description" in members:
            members["description"].text()
        return BookFile(
            members["profile"].text() if "profile" in members else None,
            instruments,
            assets,
            accounts.buckets,
            accounts.positions + accounts.orders,
            accounts.book(),
            _market(members, instruments, assets),
            assets.fixed_e8,
        )

    @property
    def terms(self) -> Terms:
        return self.instruments.terms

    @property
    def instrument_names(self) -> list[str]:
        return list(self.instruments.names)

    @property
    def asset_names(self) -> list[str]:
        return list(self.assets.names)

    def rules(self, profile: Profile) -> Rules:
        """What is in force by a profile: it fills in what the document leaves open.

        Raises BookError where it does not know what the document names, or has no tiers for what is
        held.
        """
        tiers = self._tiers(profile)
        self._check_known(profile, tiers)
        collateral, given = profile.collateral, self.assets
        # The valuation currency itself counts in full.
        default = [() if price == E8 else collateral.haircut for price in given.fixed_e8.tolist()]
        haircuts = [
            own if own is not None else others
            for own, others in zip(given.haircuts, default, strict=True)
        ]
        borrow = [collateral.borrow_weight_ppm if w is None else w for w in given.borrow_ppm]
        price_e8 = self.asset_price_e8()
        slow_e8 = np.where(given.slow_e8 > 0, given.slow_e8, price_e8)
        assets = Assets(price_e8, np.array(borrow, np.int64), StepTable.of(haircuts), slow_e8)
        return profile.rules(self.instruments.contracts, tiers, assets)

    def asset_price_e8(self) -> Int64s:
        """int64[A] in the valuation currency, by the marks where an instrument gives it."""
        pricer = self.market.pricer
        if pricer is None:
            return self.fixed_e8
        # The row of an asset with a fixed price is read and thrown away.
        marks_e8 = np.append(self.market.mark_e8, 0)
        return np.where(pricer >= 0, marks_e8[pricer], self.fixed_e8)

    def bucket_row(self, name: str) -> int:
        """Row of "account/bucket", or of an account with one bucket. Raises BookError."""
        rows = [row for row, bucket in enumerate(self.buckets) if str(bucket) == name]
        rows = rows or [r for r, bucket in enumerate(self.buckets) if bucket.account == name]
        if len(rows) == 1:
            return rows[0]
        known = [str(self.buckets[row]) for row in rows] or [str(one) for one in self.buckets]
        rule = "has several buckets" if rows else "is no bucket"
        raise BookError(f"{name!r} {rule}, known are {', '.join(known)}")

    def _tiers(self, profile: Profile) -> Tiers:
        listings = self.instruments.listings
        classes = []
        for one in listings:
            name = DEFAULT if one.tier_class is None else one.tier_class.text()
            if one.tier_class is not None and name not in profile.classes:
                known = ", ".join(sorted(profile.classes))
                one.tier_class.fail(f"is no class of profile {profile.name}, known are {known}")
            classes.append(name)
        return profile.tiers(
            [one.tiers for one in listings],
            [one.scalar_ppm for one in listings],
            classes=classes,
            open_interest_e8=np.array([one.open_interest_e8 for one in listings], np.int64),
        )

    def _check_known(self, profile: Profile, tiers: Tiers) -> None:
        for holding in self.held:
            row, kind = holding.instrument, self.book.kind[holding.bucket]
            if kind == Kind.PORTFOLIO and profile.portfolio is None:
                holding.field.fail(f"is in a portfolio, and profile {profile.name} margins none")
            if kind == Kind.PORTFOLIO:
                continue
            if self.terms.side[row]:
                if profile.options is None:
                    holding.field.fail(f"is an option, and profile {profile.name} margins none")
            elif not tiers.known[row]:
                name = self.instrument_names[row]
                holding.field.fail(f"is in {name}, for which there are no tiers")


def _market(members: dict[str, Field], instruments: Instruments, assets: AssetList) -> Market:
    listings = instruments.listings
    time = members.get("time")
    if time is None and any(one.side for one in listings):
        raise BookError("time is missing: options need one")
    return Market(
        mark_e8=np.array([one.mark_e8 for one in listings], np.int64),
        index_e8=np.array([one.index_e8 for one in listings], np.int64),
        volatility=np.array([one.volatility for one in listings], np.float64),
        time_us=0 if time is None else time.time_us(),
        pricer=assets.pricers(instruments),
        spot_range=np.array([one.spot_range for one in listings], np.float64),
        rate=np.array([one.rate for one in listings], np.float64),
        moves=_moves(members.get("daily_moves"), instruments),
    )


def _moves(field: Field | None, instruments: Instruments) -> Floats | None:
    """float64[D, I]: joint moves of the underlyings; what is not named does not move."""
    if field is None:
        return None
    days: dict[int, list[float]] = {}
    for name, moves in field.entries().items():
        row = find(Field(moves.path, name), instruments.names, "instruments")
        days[row] = [one.rate_ppm(most=10, least=-1) / PPM for one in moves.items()]
        if len(days[row]) != len(next(iter(days.values()))):
            moves.fail("has another number of days than the one before")
    count = len(next(iter(days.values()), []))
    table = np.zeros((count, len(instruments.names)))
    for row, values in days.items():
        table[:, row] = values
    return table
