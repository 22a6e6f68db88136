-- Not ordered: a row an instrument and side, from bars and the rates then in force.
CREATE OR REPLACE VIEW margin_coverage AS
WITH
    bars AS (
        SELECT
            instrument_id,
            toStartOfInterval(event_time, toIntervalSecond({horizon_s:UInt32})) AS start,
            toFloat64(max(mark)) AS high,
            toFloat64(min(mark)) AS low,
            toFloat64(argMax(mark, (event_time, sequence))) AS close
        FROM prices
        GROUP BY instrument_id, start
    ),
    moves AS (
        SELECT
            instrument_id,
            start,
            lagInFrame(close) OVER earlier AS before,
            1 - low / before AS fall,
            high / before - 1 AS rise
        FROM bars
        WINDOW earlier AS (
            PARTITION BY instrument_id ORDER BY start
            ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
        )
    ),
    rates AS (
        SELECT
            subject AS instrument_id,
            effective_at AS start,
            (`tiers.initial_ppm`[1] * margin_scalar_ppm / 1e6 + fee_ppm) / 1e6 AS rate
        FROM risk_params
        WHERE notEmpty(`tiers.initial_ppm`)
    ),
    judged AS (
        SELECT m.instrument_id AS instrument_id, part.1 AS side, part.2 AS move, r.rate AS rate
        FROM moves AS m
        ASOF JOIN rates AS r ON r.instrument_id = m.instrument_id AND m.start >= r.start
        ARRAY JOIN [('LONG', m.fall), ('SHORT', m.rise)] AS part
        WHERE m.before > 0
    ),
    counted AS (
        SELECT
            instrument_id,
            side,
            count() AS n,
            countIf(move > rate) AS x,
            avg(rate) AS mean_rate,
            max(move) AS worst_move
        FROM judged
        GROUP BY instrument_id, side
    )
SELECT
    instrument_id,
    side,
    n AS horizons,
    x AS exceedances,
    1 - x / n AS coverage,
    mean_rate,
    worst_move,
    {expected:Float64} AS expected,
    -2 * (
        x * log(expected) + (n - x) * log(1 - expected)
        - if(x = 0, 0, x * log(x / n)) - if(x = n, 0, (n - x) * log(1 - x / n))
    ) AS kupiec,
    erfc(sqrt(greatest(kupiec, 0) / 2)) AS p_value
FROM counted
COMMENT 'How often the worst move in a horizon went beyond the initial rate of the lowest tier, with
the proportion-of-failures test of Kupiec (1995): chi-square, one degree of freedom'
