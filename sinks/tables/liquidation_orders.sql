-- Not ordered: orders and their fills, joined by account and id; name an account to read little.
CREATE OR REPLACE VIEW liquidation_orders AS
WITH done AS (
    SELECT
        account_id,
        assumeNotNull(liquidation_id) AS id,
        sum(quantity) AS filled,
        toNullable(sum(toFloat64(price) * toFloat64(quantity)) / sum(toFloat64(quantity)))
            AS fill_price,
        sum(fee) AS fees,
        toNullable(max(event_time)) AS filled_at
    FROM fills
    WHERE liquidation_id IS NOT NULL
        AND account_id IN (SELECT account_id FROM liquidations WHERE action = 'REDUCE')
    GROUP BY account_id, id
),
terms AS (
    SELECT
        instrument_id,
        toFloat64(argMax(multiplier, event_time)) AS contract_size,
        startsWith(argMax(kind, event_time), 'INVERSE') AS inverse
    FROM instruments
    GROUP BY instrument_id
),
orders AS (
    SELECT
        *,
        `marks.mark`[indexOf(`marks.instrument_id`, assumeNotNull(instrument_id))] AS mark
    FROM liquidations
    WHERE action = 'REDUCE'
)
SELECT
    o.event_time AS event_time,
    o.account_id AS account_id,
    o.bucket AS bucket,
    o.episode AS episode,
    o.liquidation_id AS liquidation_id,
    o.instrument_id AS instrument_id,
    o.side AS side,
    o.equity AS equity,
    o.maintenance_margin AS maintenance_margin,
    format('equity {} below maintenance margin {}', toString(o.equity),
        toString(o.maintenance_margin)) AS reason,
    arraySort(arrayDistinct(o.`marks.guard`)) AS guards,
    o.mark AS mark,
    o.quantity AS asked,
    o.limit_price AS limit_price,
    o.bankruptcy_price AS bankruptcy_price,
    d.filled AS filled,
    d.fill_price AS fill_price,
    d.filled_at AS filled_at,
    d.fees AS fees,
    if(o.side = 'SELL', 1, -1) * toFloat64(d.filled) * t.contract_size * if(
        t.inverse,
        1 / d.fill_price - 1 / toFloat64(o.mark),
        toFloat64(o.mark) - d.fill_price
    ) AS slippage
FROM orders AS o
LEFT JOIN done AS d ON d.account_id = o.account_id AND d.id = o.liquidation_id
LEFT JOIN terms AS t ON t.instrument_id = o.instrument_id
COMMENT 'Orders that reduced: why, how much of them was filled, and the cost against the mark'
