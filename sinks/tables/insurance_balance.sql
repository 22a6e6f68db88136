-- Not ordered: the rows of insurance_fund, which lie in order of asset and time.
CREATE OR REPLACE VIEW insurance_balance AS
SELECT
    event_time,
    asset,
    balance,
    change,
    reason,
    source_id,
    min(balance) OVER (
        PARTITION BY asset ORDER BY event_time, _partition, _offset
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS lowest,
    _offset
FROM insurance_fund
COMMENT 'Balance of each insurance fund after each movement, and the lowest it has been'
