-- Not ordered: one account's calls, orders and movements, each ordered by account and time.
CREATE OR REPLACE VIEW account_story AS
SELECT event_time, 'margin_calls' AS told_by, level AS what, call_id AS id,
    CAST(NULL, 'Nullable(String)') AS instrument_id,
    CAST(NULL, 'Nullable(Decimal(18, 8))') AS quantity,
    CAST(NULL, 'Nullable(Decimal(18, 8))') AS price,
    CAST(top_up, 'Nullable(Decimal(18, 8))') AS amount,
    equity, maintenance_margin
FROM margin_calls WHERE account_id = {account:String}
UNION ALL
SELECT event_time, 'liquidations', action, liquidation_id, instrument_id, quantity, limit_price,
    NULL, equity, maintenance_margin
FROM liquidations WHERE account_id = {account:String}
UNION ALL
SELECT event_time, 'fills', side, fill_id, instrument_id, quantity, price, -fee, NULL, NULL
FROM fills WHERE account_id = {account:String}
UNION ALL
SELECT event_time, 'collateral', kind, collateral_id, isolated_instrument_id, NULL, NULL, amount,
    NULL, NULL
FROM collateral WHERE account_id = {account:String}
UNION ALL
SELECT event_time, 'transfers', kind, transfer_id, instrument_id, quantity, NULL, amount,
    NULL, NULL
FROM transfers WHERE account_id = {account:String}
COMMENT 'All that was said to one account and all that moved it; order it by event_time'
