-- How many buckets stand at each stage?
SELECT stage, count() AS buckets, sum(equity) AS equity, sum(maintenance_margin) AS maintenance
FROM states_at(at = {at:DateTime64(6, 'UTC')})
WHERE NOT startsWith(account_id, '@')
GROUP BY stage
ORDER BY buckets DESC;

-- Who was closest to liquidation at a moment?
SELECT account_id, bucket, stage, round(health, 3) AS health, equity, maintenance_margin
FROM states_at(at = {at:DateTime64(6, 'UTC')})
WHERE health IS NOT NULL AND NOT startsWith(account_id, '@')
ORDER BY health, account_id, bucket
LIMIT 5;

-- What did one account hold at a moment?
SELECT bucket, instrument_id, quantity, changed_at
FROM positions_at(at = {at:DateTime64(6, 'UTC')})
WHERE account_id = {account:String}
ORDER BY bucket, instrument_id;

-- How did its equity run against its margins?
SELECT event_time, equity, maintenance_margin, round(worst_health, 3) AS health, unrealised
FROM equity_curve(account = {account:String})
ORDER BY event_time DESC
LIMIT 8;

-- Why was it liquidated?
SELECT event_time, what, id, instrument_id, quantity, price, equity, maintenance_margin
FROM account_story(account = {account:String})
WHERE told_by IN ('margin_calls', 'liquidations')
ORDER BY event_time, toUInt32OrZero(splitByChar('/', id)[-1]);

-- Which marks did those decisions use, and what did the price guard say of them?
SELECT event_time, action, used.1 AS instrument_id, used.2 AS mark, used.3 AS guard
FROM liquidations
ARRAY JOIN arrayZip(`marks.instrument_id`, `marks.mark`, `marks.guard`) AS used
WHERE account_id = {account:String}
ORDER BY event_time, step, instrument_id
LIMIT 8;

-- What became of the calls for margin, and how soon?
SELECT outcome, count() AS episodes, round(median(answered_s), 2) AS median_s,
    max(top_up) AS largest_top_up
FROM call_outcomes
WHERE called_at IS NOT NULL
GROUP BY outcome
ORDER BY episodes DESC;

-- Whose calls asked for most?
SELECT account_id, bucket, called_at, top_up, deadline, outcome
FROM call_outcomes
WHERE called_at IS NOT NULL
ORDER BY top_up DESC
LIMIT 5;

-- How were liquidation orders filled, by instrument?
SELECT instrument_id, count() AS orders, sum(asked) AS asked, sum(filled) AS filled,
    round(sum(slippage), 2) AS slippage, sum(fees) AS fees
FROM liquidation_orders
GROUP BY instrument_id
ORDER BY orders DESC, instrument_id;

-- Which orders cost most against the mark?
SELECT event_time, account_id, instrument_id, side, mark, round(fill_price, 4) AS fill_price,
    filled, round(slippage, 2) AS slippage
FROM liquidation_orders
WHERE filled > 0
ORDER BY slippage DESC
LIMIT 5;

-- What did the insurance funds take over?
SELECT instrument_id, uniqExact(transfer_id) AS takeovers, sum(quantity) AS contracts,
    sum(cost) AS cost
FROM transfers
WHERE kind = 'TAKEOVER' AND startsWith(account_id, '@insurance') AND instrument_id IS NOT NULL
GROUP BY instrument_id
ORDER BY takeovers DESC, instrument_id
LIMIT 8;

-- What is in each insurance fund, and what was its lowest balance?
SELECT asset, argMax(balance, (event_time, _offset)) AS balance, min(lowest) AS lowest,
    sumIf(change, reason = 'TRANSFER') AS by_transfers, count() AS movements
FROM insurance_balance
GROUP BY asset
ORDER BY asset;

-- What did auctions bring?
SELECT instrument_id, count() AS auctions, sum(offered) AS offered, sum(sold) AS sold,
    round(avg(1 - mean_price / opening_price), 4) AS mean_discount
FROM auction_results
GROUP BY instrument_id
ORDER BY instrument_id;

-- Who gave up positions by deleveraging, and how much?
SELECT account_id, instrument_id, count() AS times, sum(quantity) AS contracts
FROM transfers
WHERE kind = 'DELEVERAGE' AND instrument_id IS NOT NULL AND NOT startsWith(account_id, '@')
GROUP BY account_id, instrument_id
ORDER BY times DESC, account_id, instrument_id
LIMIT 8;

-- How did prices run?
SELECT start, open, high, low, close, ticks
FROM price_bars(seconds = 20)
WHERE instrument_id = 'BTC-PERP'
ORDER BY start;

-- Did the initial margin cover the moves that came?
SELECT instrument_id, side, horizons, exceedances, round(coverage, 4) AS coverage,
    round(worst_move, 4) AS worst, round(mean_rate, 4) AS rate, round(kupiec, 2) AS kupiec,
    round(p_value, 4) AS p_value
FROM margin_coverage(horizon_s = 5, expected = 0.01)
WHERE instrument_id IN ('BTC-PERP', 'ETH-PERP', 'SOL-PERP')
ORDER BY instrument_id, side;

-- How large is the open interest, and how much of it do five accounts hold?
SELECT instrument_id, sum(held) AS open_interest, count() AS holders,
    round(arraySum(arraySlice(arrayReverseSort(groupArray(toFloat64(held))), 1, 5))
        / toFloat64(open_interest), 3) AS held_by_five
FROM (
    SELECT instrument_id, account_id, sum(quantity) AS held
    FROM positions_at(at = {at:DateTime64(6, 'UTC')})
    GROUP BY instrument_id, account_id
    HAVING held > 0
)
GROUP BY instrument_id
ORDER BY instrument_id
LIMIT 8;

-- What was traded, and what did it earn in fees?
SELECT instrument_id, count() AS fills, sum(quantity) / 2 AS contracts, sum(fee) AS fees,
    countIf(liquidation_id IS NOT NULL) AS of_liquidations
FROM fills
GROUP BY instrument_id
ORDER BY fills DESC, instrument_id
LIMIT 8;

-- Do all transfers sum to zero?
SELECT sums, not_zero
FROM transfer_sums;

-- Is every record stored, once, and how far is the sink?
SELECT topic, sum(records) AS records, sum(refused) AS refused, sum(on_the_way) AS on_the_way,
    count() AS partitions
FROM sink_lag
GROUP BY topic
ORDER BY records DESC
LIMIT 8;
