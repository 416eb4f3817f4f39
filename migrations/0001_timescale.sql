-- Large tables become hypertables where the server has TimescaleDB; plain PostgreSQL and PGlite keep plain tables.
-- Chunks are 7 days (bars, feature rows) or 30 days. Only what the Apache edition has is used here.
DO $$
DECLARE
  week CONSTANT bigint := 604800000;
  month CONSTANT bigint := 2592000000;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN RETURN; END IF;
  EXECUTE 'CREATE EXTENSION IF NOT EXISTS timescaledb';
  PERFORM create_hypertable('klines', by_range('open_time', week), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('feature_rows', by_range('time', week), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('signals', by_range('time', month), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('refusals', by_range('time', month), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('fills', by_range('time', month), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('positions', by_range('exit_time', month), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('position_events', by_range('time', month), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('ledger_entries', by_range('time', month), create_default_indexes => false, if_not_exists => true);
  PERFORM create_hypertable('equity', by_range('time', month), create_default_indexes => false, if_not_exists => true);
END
$$;
--> statement-breakpoint
-- The community edition compresses what is older than 30 days. The Apache edition cannot; the service drops old chunks.
DO $$
BEGIN
  IF current_setting('timescaledb.license', true) IS DISTINCT FROM 'timescale' THEN RETURN; END IF;
  EXECUTE 'CREATE OR REPLACE FUNCTION penstock_now_ms() RETURNS bigint LANGUAGE sql STABLE AS ''SELECT (extract(epoch FROM now()) * 1000)::bigint''';
  EXECUTE 'ALTER TABLE klines SET (timescaledb.compress, timescaledb.compress_segmentby = ''symbol, timeframe'', timescaledb.compress_orderby = ''open_time'')';
  PERFORM set_integer_now_func('klines', 'penstock_now_ms', replace_if_exists => true);
  PERFORM add_compression_policy('klines', 2592000000::bigint, if_not_exists => true);
END
$$;
--> statement-breakpoint
-- Integer arithmetic instead of time_bucket: one view for all servers.
CREATE OR REPLACE VIEW klines_1h AS
SELECT symbol,
       open_time - open_time % 3600000 AS bucket,
       (array_agg(open ORDER BY open_time))[1] AS open,
       max(high) AS high,
       min(low) AS low,
       (array_agg(close ORDER BY open_time DESC))[1] AS close,
       sum(volume) AS volume,
       count(*) AS bars
FROM klines
WHERE timeframe = 60000
GROUP BY symbol, bucket;
--> statement-breakpoint
CREATE OR REPLACE VIEW equity_1h AS
SELECT run,
       time - time % 3600000 AS bucket,
       (array_agg(equity ORDER BY time DESC, seq DESC))[1] AS equity,
       min(equity) AS low,
       max(equity) AS high
FROM equity
GROUP BY run, bucket;
