"""Derive's standard margin: requirement of options, perpetuals and base assets."""

from typing import Any

import numpy as np

from risk.margin.options import Linears, Options, StandardTerms, standard_margin
from risk.pricing.black76 import price
from tests.conformance.translate import amount, number

YEAR_S = 365 * 86_400
SIDE = {"C": 1, "P": -1}


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, markets = case["inputs"], case["inputs"]["markets"]
    held = [market["perp"] for market in markets]
    confidence = [[market["spot_conf"], market["perp"]["conf"]] for market in markets]
    spot = np.array([market["spot"] for market in markets])
    bucket = np.zeros(len(markets), np.int64)
    state = standard_margin(
        _options(markets),
        Linears(
            bucket,
            amount(*(perp["size"] for perp in held)),
            np.array([perp["price"] for perp in held]),
            spot,
            np.array([min(both) for both in confidence]),
        ),
        Linears(
            bucket,
            amount(*(market["base"] for market in markets)),
            spot,
            spot,
            np.array([market["spot_conf"] for market in markets]),
        ),
        amount(inputs["cash"]) + amount(*(perp["unrealised"] for perp in held)).sum(),
        terms=_terms(inputs["params"]),
        stable_price=inputs["stable_price"],
    )
    return {
        "MM": number(state.excess_maintenance_e8()[0]),
        "IM": number(state.excess_initial_e8()[0]),
    }


def _options(markets: list[dict[str, Any]]) -> Options:
    rows = []
    for underlying, market in enumerate(markets):
        expiries = {one["secs"]: one for one in market["expiries"]}
        for one in market["options"]:
            expiry = expiries[one["secs"]]
            forward, confidence = expiry["forward"], min(expiry["conf"], market["spot_conf"])
            years, call = one["secs"] / YEAR_S, one["type"] == "C"
            value = float(price(forward, one["strike"], years, one["vol"], call))
            quantity_e8 = int(amount(one["size"])[0])
            row = (0, underlying, one["secs"], SIDE[one["type"]], one["strike"], quantity_e8)
            rows.append((*row, value, forward, market["spot"], confidence))
    names = Options.__slots__
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    integers = {"bucket", "underlying", "expiry_us", "side", "quantity_e8"}
    return Options(
        *(
            np.array(column, np.int64 if name in integers else np.float64)
            for name, column in zip(names, columns, strict=True)
        )
    )


def _terms(params: dict[str, float]) -> StandardTerms:
    return StandardTerms(
        short_initial=params["max_spot_req"],
        short_initial_floor=params["min_spot_req"],
        call_maintenance=params["mm_call_spot"],
        put_maintenance=params["mm_put_spot"],
        put_maintenance_of_value=params["mm_put_mtm"],
        put_initial_of_maintenance=params["mm_offset_scale"],
        unpaired_initial=params["unpaired_im"],
        unpaired_maintenance=params["unpaired_mm"],
        perpetual_initial=params["perp_im"],
        perpetual_maintenance=params["perp_mm"],
        base_initial=params["base_margin_factor"] * params["base_im_scale"],
        base_maintenance=params["base_margin_factor"],
        confidence_threshold=params["oc_threshold"],
        confidence_factor=params["oc_factor"],
        peg_threshold=params["depeg_threshold"],
        peg_factor=params["depeg_factor"],
    )
