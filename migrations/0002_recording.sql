-- What the service records. Nothing has written instruments or ledger entries before this step.
CREATE TABLE "run_ends" (
	"run" bigint PRIMARY KEY NOT NULL,
	"trades" bigint NOT NULL,
	"trades_hash" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "ledger_entries" DROP CONSTRAINT "ledger_entries_run_seq_time_pk";--> statement-breakpoint
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_run_seq_time_from_account_pk" PRIMARY KEY("run","seq","time","from_account");--> statement-breakpoint
ALTER TABLE "instruments" ADD COLUMN "run" bigint NOT NULL;--> statement-breakpoint
ALTER TABLE "instruments" DROP CONSTRAINT "instruments_pkey";--> statement-breakpoint
ALTER TABLE "instruments" ADD CONSTRAINT "instruments_run_symbol_pk" PRIMARY KEY("run","symbol");--> statement-breakpoint
ALTER TABLE "feature_rows" ADD COLUMN "position" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "epoch" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "position_events" ADD COLUMN "virtual" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "positions" ADD COLUMN "position" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "positions" ADD COLUMN "entry_price" double precision;--> statement-breakpoint
ALTER TABLE "positions" ADD COLUMN "exit_price" double precision;--> statement-breakpoint
ALTER TABLE "positions" ADD COLUMN "result" double precision;--> statement-breakpoint
ALTER TABLE "runs" DROP COLUMN "ended_at";--> statement-breakpoint
ALTER TABLE "runs" DROP COLUMN "trades_hash";
