-- Not ordered: one row. A leg that was delivered twice counts once; two that differ count as two.
-- All legs are added up by a hash, once; what has a leg twice is looked at again, leg by leg.
CREATE OR REPLACE VIEW transfer_sums AS
WITH
    (transfer, asset, instrument) ->
        cityHash64(transfer, ifNull(asset, ''), ifNull(instrument, '')) AS place,
    (
        SELECT (countIf(NOT again), countIf(NOT again AND not_zero), groupArrayIf(at, again))
        FROM (
            SELECT
                place(transfer_id, asset, instrument_id) AS at,
                sum(amount) != 0 OR sum(quantity) != 0 OR sum(cost) != 0 AS not_zero,
                bitCount(groupBitOr(bitShiftLeft(toUInt64(1), leg % 64))) != count() AS again
            FROM transfers
            GROUP BY at
        )
    ) AS once
SELECT once.1 + count() AS sums, once.2 + countIf(not_zero) AS not_zero
FROM (
    SELECT sum(amount) != 0 OR sum(quantity) != 0 OR sum(cost) != 0 AS not_zero
    FROM (
        SELECT DISTINCT transfer_id, leg, asset, instrument_id, amount, quantity, cost
        FROM transfers
        WHERE notEmpty(once.3)
            AND place(transfer_id, asset, instrument_id) IN (SELECT arrayJoin(once.3))
    )
    GROUP BY transfer_id, asset, instrument_id
)
COMMENT 'How many sums the legs of transfers make, each leg once, and how many are not zero'
