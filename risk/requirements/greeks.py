"""Greeks of buckets by underlying."""

import numpy as np

from risk.book import BucketGreeks
from risk.margin.bucket_greeks import contract_greeks
from risk.margin.scenario_sums import rows_by_bucket, sorted_sums
from risk.requirements.groups import Groups
from risk.requirements.rows import Held
from risk.requirements.view import View


def bucket_greeks(held: Held, view: View, size: int) -> BucketGreeks:
    """Sums of quantity x Greek of one contract, by bucket 0..size-1 and underlying.

    Terms are sorted before they are summed, so that the order of rows does not matter.
    """
    row = view.place[held.instrument]
    groups = Groups.of(held, view.underlying[row], size)
    of_contract = contract_greeks(view.contracts)
    unit = np.stack(
        (of_contract.delta, of_contract.gamma, of_contract.vega, of_contract.theta), axis=1
    )
    sums = np.zeros((len(groups.bucket), unit.shape[1]))
    sorted_sums(
        rows_by_bucket((groups.of_row, row, held.quantity_e8), unit, len(groups.bucket)), sums
    )
    return BucketGreeks(groups.bucket, groups.underlying, *sums.T)
