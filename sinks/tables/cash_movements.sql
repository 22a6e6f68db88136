-- Not ordered: what accounts' records make by the engine's rules, booked in the order of time; name
-- an account to read little.
-- At one moment: fills first, then funding, then a settlement, then legs of transfers.
CREATE OR REPLACE VIEW cash_movements AS
WITH
    -- Worth of contracts in the settlement asset, rounded twice, half away from zero.
    (contracts, multiplier) -> toDecimal128(
        round(toDecimal128(contracts, 8) * multiplier, 8), 8
    ) AS units,
    (units, inverse, price) -> if(
        inverse,
        toDecimal128(-round(divideDecimal(units, if(price = 0, 1, price), 9), 8), 8),
        toDecimal128(round(units * price, 8), 8)
    ) AS worth,
    terms AS (
        SELECT
            instrument_id,
            argMax(base, event_time) AS base,
            argMax(settlement_asset, event_time) AS asset,
            argMax(multiplier, event_time) AS multiplier,
            startsWith(argMax(kind, event_time), 'INVERSE') AS inverse,
            argMax(kind, event_time) = 'SPOT' AS spot
        FROM instruments
        GROUP BY instrument_id
    ),
    due AS (
        SELECT
            instrument_id,
            groupArrayIf(
                (event_time, 2, _offset, toDecimal64(0, 8), toDecimal128(0, 8), rate, mark),
                kind = 'FUNDING'
            ) AS payments,
            minIf(event_time, kind = 'SETTLEMENT') AS settled_at,
            argMinIf(mark, event_time, kind = 'SETTLEMENT') AS settled_price
        FROM funding
        WHERE (_partition, _offset) NOT IN (
            SELECT partition, offset FROM dead_letters WHERE topic = 'funding'
        )
        GROUP BY instrument_id
    ),
    steps AS (
        SELECT
            account_id,
            bucket,
            event_time AS since,
            argMax(liquidation_id, step) AS id,
            ifNull(argMax(bankruptcy_price, step), 0) AS bankruptcy_price,
            argMax(action, step) = 'REDUCE' AND countIf(action = 'REDUCE') = 1 AS is_order,
            leadInFrame(since, 1, toDateTime64('2299-12-31 00:00:00', 6, 'UTC')) OVER (
                PARTITION BY account_id, bucket ORDER BY since
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) AS until
        FROM liquidations
        GROUP BY account_id, bucket, event_time
    ),
    traded AS (
        SELECT
            *,
            if(margin_mode = 'ISOLATED' AND NOT spot, instrument_id, 'cross') AS pool,
            if(side = 'BUY', quantity, -quantity) AS contracts,
            units(contracts, multiplier) AS bought,
            worth(bought, inverse, price) AS cost
        FROM fills
        INNER JOIN terms USING (instrument_id)
        WHERE (_partition, _offset) NOT IN (
            SELECT partition, offset FROM dead_letters WHERE topic = 'fills'
        )
    ),
    legs AS (
        SELECT *
        FROM transfers
        WHERE (_partition, _offset) NOT IN (
                SELECT partition, offset FROM dead_letters WHERE topic = 'transfers'
            )
            AND NOT (
                kind IN ('AUCTION', 'DELEVERAGE') AND instrument_id IS NOT NULL
                AND NOT startsWith(account_id, '@') AND concat(transfer_id, '/return') IN (
                    SELECT transfer_id FROM transfers WHERE kind = 'RETURN'
                )
            )
    ),
    places AS (
        SELECT account_id, pool, instrument_id, groupArray(moved) AS moves
        FROM (
            SELECT account_id, pool, instrument_id,
                (event_time, 1, _offset, contracts, cost, 0., toDecimal64(0, 8)) AS moved
            FROM traded
            WHERE NOT spot
            UNION ALL
            SELECT account_id, bucket, assumeNotNull(instrument_id),
                (event_time, 4, _offset, quantity, toDecimal128(cost, 8), 0., toDecimal64(0, 8))
            FROM legs
            WHERE instrument_id IS NOT NULL
        )
        GROUP BY account_id, pool, instrument_id
    ),
    booked AS (
        SELECT
            account_id, pool, instrument_id, asset, multiplier, inverse, settled_at, settled_price,
            moved.1 AS event_time,
            moved.2 AS rank,
            moved.3 AS at_offset,
            moved.4 AS contracts,
            moved.5 AS cost,
            moved.6 AS rate,
            moved.7 AS mark,
            toYear(settled_at) > 1970 AND (event_time, rank) > (settled_at, 3) AS is_late,
            sum(contracts) OVER (
                PARTITION BY account_id, pool, instrument_id ORDER BY event_time, rank, at_offset
            ) AS holds
        FROM places
        INNER JOIN terms USING (instrument_id)
        LEFT JOIN due USING (instrument_id)
        ARRAY JOIN arrayConcat(
            moves,
            payments,
            if(toYear(settled_at) > 1970, [(
                settled_at, 3, toUInt64(0), toDecimal64(0, 8), toDecimal128(0, 8), 0.,
                toDecimal64(0, 8)
            )], [])
        ) AS moved
    ),
    closing AS (
        SELECT
            *,
            holds = 0 OR rank = 3 OR is_late AS closes,
            multiIf(rank = 3, holds, is_late, contracts, 0) AS ended,
            sum(cost - worth(units(ended, multiplier), inverse, settled_price)) OVER (
                PARTITION BY account_id, pool, instrument_id ORDER BY event_time, rank, at_offset
            ) AS costs
        FROM booked
    )
SELECT
    event_time,
    account_id,
    pool AS bucket,
    asset,
    if(rank = 2, 'FUNDING', 'REALISED') AS what,
    instrument_id,
    if(
        rank = 2,
        -- float64, ties to even, as the engine pays it
        -toDecimal128(toInt128(round(rate * sign(holds) * toFloat64(toInt128(
            abs(worth(units(holds, multiplier), inverse, mark)) * 100000000
        )))), 8) / 100000000,
        anyLastIf(costs, closes) OVER (
            PARTITION BY account_id, pool, instrument_id ORDER BY event_time, rank, at_offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) - costs
    ) AS amount
FROM closing
WHERE if(rank = 2, holds != 0 AND NOT is_late, closes)
UNION ALL
SELECT event_time, account_id, to.1, to.2, to.3, instrument_id, to.4
FROM (
    SELECT
        *,
        if(
            is_order AND NOT spot AND event_time > since AND event_time < until,
            greatest(0, least(
                worth(bought, inverse, bankruptcy_price) - cost,
                floor(abs(cost) * {penalty_ppm:UInt32} / 1000000, 8)
            )),
            0
        ) AS penalty
    FROM traded
    LEFT JOIN steps ON steps.account_id = traded.account_id
        AND steps.bucket = traded.pool AND steps.id = traded.liquidation_id
)
ARRAY JOIN arrayFilter(one -> one.4 != 0, [
    ('cross', fee_asset, 'FEE', toDecimal128(-fee, 8)),
    (pool, asset, 'PENALTY', -penalty),
    (pool, asset, 'MARGIN', toDecimal128(if(pool = 'cross', 0, isolated_margin), 8)),
    ('cross', asset, 'MARGIN', toDecimal128(if(pool = 'cross', 0, -isolated_margin), 8)),
    ('cross', base, 'TRADE', if(spot, bought, 0)),
    ('cross', asset, 'TRADE', if(spot, -cost, 0))
]) AS to
UNION ALL
SELECT event_time, account_id, to.1, asset, kind, isolated_instrument_id, to.2
FROM collateral
ARRAY JOIN arrayFilter(one -> one.2 != 0, [
    (ifNull(isolated_instrument_id, 'cross'), amount),
    ('cross', if(kind = 'TRANSFER', -amount, 0))
]) AS to
WHERE (_partition, _offset) NOT IN (
    SELECT partition, offset FROM dead_letters WHERE topic = 'collateral'
)
UNION ALL
SELECT event_time, account_id, bucket, assumeNotNull(asset), kind, NULL, amount
FROM legs
WHERE asset IS NOT NULL
COMMENT 'All that moved the balances of an account, to the unit; the sum is its balance'
