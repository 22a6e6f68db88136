-- Not ordered: bars of prices, which are ordered by instrument and time; name both to read little.
CREATE OR REPLACE VIEW price_bars AS
SELECT
    instrument_id,
    toStartOfInterval(event_time, toIntervalSecond({seconds:UInt32})) AS start,
    argMin(mark, (event_time, sequence)) AS open,
    max(mark) AS high,
    min(mark) AS low,
    argMax(mark, (event_time, sequence)) AS close,
    argMax(`index`, (event_time, sequence)) AS index_close,
    count() AS ticks
FROM prices
GROUP BY instrument_id, start
COMMENT 'Bars of the mark: open, high, low, close, and the index at the close'
