-- Not ordered: a row an auction; its records lie together, by account and auction.
CREATE OR REPLACE VIEW auction_results AS
SELECT
    account_id,
    auction_id,
    any(instrument_id) AS instrument_id,
    any(opening.1) AS offered,
    any(opening.2) AS opening_price,
    any(opening.3) AS floor_price,
    minIf(event_time, event = 'OPENED') AS opened_at,
    sumIf(award, event = 'AWARDED') AS sold,
    sumIf(toFloat64(award) * toFloat64(price), event = 'AWARDED')
        / nullIf(toFloat64(sold), 0) AS mean_price,
    uniqExactIf(bidder, event = 'AWARDED') AS winners,
    maxOrNullIf(event_time, event = 'CLOSED') AS closed_at
FROM (
    SELECT *, (quantity, opening_price, floor_price) AS opening FROM auctions
)
GROUP BY account_id, auction_id
COMMENT 'Every auction: what was offered, what of it was sold, at which price, to how many'
