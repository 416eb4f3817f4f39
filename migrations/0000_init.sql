CREATE TABLE "equity" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"equity" bigint NOT NULL,
	"wallet" bigint NOT NULL,
	"unrealised" bigint NOT NULL,
	"margin" bigint NOT NULL,
	"exposure" bigint NOT NULL,
	"positions" integer NOT NULL,
	CONSTRAINT "equity_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "feature_rows" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"symbol" text NOT NULL,
	"time" bigint NOT NULL,
	"label_time" bigint,
	"label" real,
	"f1" real,
	"f2" real,
	"f3" real,
	"f4" real,
	"f5" real,
	"f6" real,
	"f7" real,
	"f8" real,
	"f9" real,
	"f10" real,
	"f11" real,
	"f12" real,
	"f13" real,
	"f14" real,
	"f15" real,
	"f16" real,
	"f17" real,
	"f18" real,
	"f19" real,
	"f20" real,
	"f21" real,
	"f22" real,
	"f23" real,
	"f24" real,
	"f25" real,
	"f26" real,
	"f27" real,
	"f28" real,
	"f29" real,
	"f30" real,
	"f31" real,
	CONSTRAINT "feature_rows_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "fills" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"symbol" text NOT NULL,
	"order_id" bigint NOT NULL,
	"trade" text NOT NULL,
	"lots" bigint NOT NULL,
	"price" bigint NOT NULL,
	"fee" bigint NOT NULL,
	"maker" boolean NOT NULL,
	CONSTRAINT "fills_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "funding_rates" (
	"symbol" text NOT NULL,
	"time" bigint NOT NULL,
	"rate" bigint NOT NULL,
	"mark" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "funding_rates_symbol_time_pk" PRIMARY KEY("symbol","time")
);
--> statement-breakpoint
CREATE TABLE "incidents" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"level" text NOT NULL,
	"text" text NOT NULL,
	CONSTRAINT "incidents_run_seq_pk" PRIMARY KEY("run","seq")
);
--> statement-breakpoint
CREATE TABLE "instruments" (
	"symbol" text PRIMARY KEY NOT NULL,
	"tick_units" bigint NOT NULL,
	"price_decimals" smallint NOT NULL,
	"lot_units" bigint NOT NULL,
	"quantity_decimals" smallint NOT NULL,
	"unit_value" bigint NOT NULL,
	"min_lots" bigint NOT NULL,
	"max_lots" bigint NOT NULL,
	"min_notional" bigint NOT NULL,
	"max_leverage" smallint NOT NULL,
	"filters" jsonb,
	"updated_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "kline_revisions" (
	"symbol" text NOT NULL,
	"timeframe" integer NOT NULL,
	"open_time" bigint NOT NULL,
	"revision" smallint NOT NULL,
	"open" double precision NOT NULL,
	"high" double precision NOT NULL,
	"low" double precision NOT NULL,
	"close" double precision NOT NULL,
	"volume" double precision NOT NULL,
	"seen_at" bigint NOT NULL,
	CONSTRAINT "kline_revisions_symbol_timeframe_open_time_revision_pk" PRIMARY KEY("symbol","timeframe","open_time","revision")
);
--> statement-breakpoint
CREATE TABLE "klines" (
	"symbol" text NOT NULL,
	"timeframe" integer NOT NULL,
	"open_time" bigint NOT NULL,
	"open" double precision NOT NULL,
	"high" double precision NOT NULL,
	"low" double precision NOT NULL,
	"close" double precision NOT NULL,
	"volume" double precision NOT NULL,
	"seen_at" bigint NOT NULL,
	"revision" smallint DEFAULT 0 NOT NULL,
	CONSTRAINT "klines_symbol_timeframe_open_time_pk" PRIMARY KEY("symbol","timeframe","open_time")
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"name" text PRIMARY KEY NOT NULL,
	"epoch" bigint NOT NULL,
	"holder" text NOT NULL,
	"expires_at" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "ledger_entries" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"into_account" text NOT NULL,
	"from_account" text NOT NULL,
	"amount" bigint NOT NULL,
	"symbol" text,
	CONSTRAINT "ledger_entries_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "models" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"parent" text,
	"created_at" bigint NOT NULL,
	"manifest" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "order_answers" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"order_id" bigint NOT NULL,
	"answer" text NOT NULL,
	"code" integer NOT NULL,
	"reason" text NOT NULL,
	CONSTRAINT "order_answers_run_seq_pk" PRIMARY KEY("run","seq")
);
--> statement-breakpoint
CREATE TABLE "orders" (
	"run" bigint NOT NULL,
	"id" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"symbol" text NOT NULL,
	"leg" text NOT NULL,
	"side" smallint NOT NULL,
	"type" text NOT NULL,
	"purpose" text NOT NULL,
	"lots" bigint NOT NULL,
	"price" bigint NOT NULL,
	"trigger" bigint NOT NULL,
	"time_in_force" text NOT NULL,
	"reduce_only" boolean NOT NULL,
	"close_position" boolean NOT NULL,
	"leverage" smallint NOT NULL,
	CONSTRAINT "orders_run_id_pk" PRIMARY KEY("run","id")
);
--> statement-breakpoint
CREATE TABLE "position_events" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"position" bigint NOT NULL,
	"symbol" text NOT NULL,
	"kind" text NOT NULL,
	"price" bigint NOT NULL,
	"detail" jsonb,
	CONSTRAINT "position_events_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "positions" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"virtual" boolean NOT NULL,
	"symbol" text NOT NULL,
	"leg" text NOT NULL,
	"direction" smallint NOT NULL,
	"entry_time" bigint NOT NULL,
	"exit_time" bigint NOT NULL,
	"lots" bigint NOT NULL,
	"entry_notional" bigint NOT NULL,
	"exit_notional" bigint NOT NULL,
	"fees" bigint NOT NULL,
	"funding" bigint NOT NULL,
	"pnl" bigint NOT NULL,
	"reason" text NOT NULL,
	"strategy" text NOT NULL,
	"setup" text NOT NULL,
	"confidence" double precision NOT NULL,
	"stop" bigint NOT NULL,
	"target" bigint NOT NULL,
	"leverage" smallint NOT NULL,
	"reasons" jsonb NOT NULL,
	"best_excursion" double precision,
	"worst_excursion" double precision,
	CONSTRAINT "positions_run_seq_exit_time_pk" PRIMARY KEY("run","seq","exit_time")
);
--> statement-breakpoint
CREATE TABLE "refusals" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"symbol" text NOT NULL,
	"guard" text NOT NULL,
	"reason" text NOT NULL,
	"numbers" jsonb NOT NULL,
	CONSTRAINT "refusals_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"run" bigint PRIMARY KEY NOT NULL,
	"command" text NOT NULL,
	"mode" text NOT NULL,
	"build" text NOT NULL,
	"settings_hash" text NOT NULL,
	"data_hash" text,
	"journal" text NOT NULL,
	"ended_at" bigint,
	"trades_hash" text
);
--> statement-breakpoint
CREATE TABLE "settings_changes" (
	"at" bigint NOT NULL,
	"name" text NOT NULL,
	"who" text NOT NULL,
	"before" text NOT NULL,
	"after" text NOT NULL,
	CONSTRAINT "settings_changes_at_name_pk" PRIMARY KEY("at","name")
);
--> statement-breakpoint
CREATE TABLE "signals" (
	"run" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"time" bigint NOT NULL,
	"symbol" text NOT NULL,
	"strategy" text NOT NULL,
	"setup" text NOT NULL,
	"direction" smallint NOT NULL,
	"entry" bigint NOT NULL,
	"stop" bigint NOT NULL,
	"target" bigint NOT NULL,
	"confidence" double precision NOT NULL,
	"rank" integer NOT NULL,
	"scores" jsonb NOT NULL,
	"reasons" jsonb NOT NULL,
	CONSTRAINT "signals_run_seq_time_pk" PRIMARY KEY("run","seq","time")
);
--> statement-breakpoint
CREATE TABLE "trials" (
	"id" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"parameters" jsonb NOT NULL,
	"metrics" jsonb NOT NULL
);
--> statement-breakpoint
CREATE INDEX "fills_symbol_time" ON "fills" USING btree ("symbol","time");--> statement-breakpoint
CREATE INDEX "orders_symbol_time" ON "orders" USING btree ("symbol","time");--> statement-breakpoint
CREATE INDEX "positions_symbol_time" ON "positions" USING btree ("symbol","exit_time");--> statement-breakpoint
CREATE INDEX "refusals_symbol_time" ON "refusals" USING btree ("symbol","time");--> statement-breakpoint
CREATE INDEX "signals_symbol_time" ON "signals" USING btree ("symbol","time");