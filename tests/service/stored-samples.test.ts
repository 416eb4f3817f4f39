import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ModelFolder } from "../../src/learning/registry.ts";
import { recordLineage } from "../../src/service/model-lineage.ts";
import { storedSamples } from "../../src/service/stored-samples.ts";
import { storeKlines } from "../../src/store/klines.ts";
import { featureColumn, type Row } from "../../src/store/rows.ts";
import { FEATURES } from "../../src/store/schema.ts";
import type { Store } from "../../src/store/store.ts";
import { StoreWriter } from "../../src/store/writer.ts";
import { trained } from "../learning/trained.ts";
import { KINDS, type TestDatabase, temporaryFolder } from "../store/database.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);
const COSTS = { takerFee: 0.0005, slippage: 0.0002 };

/** Prices of two decimals. */
const instrument = (run: number): Row => ({
  table: "instruments",
  values: {
    ...{ run, symbol: "AUSDT", tick_units: 1, price_decimals: 2, lot_units: 1, quantity_decimals: 0, unit_value: 1 },
    ...{ min_lots: 1, max_lots: 1000, min_notional: 0, max_leverage: 20, filters: null, updated_at: START },
  },
});

interface Past {
  readonly run: number;
  readonly position: number;
  readonly entryTime: number;
  readonly entry: number;
  readonly exit: number;
  readonly setup?: string;
  /** When the row of features was written down. */
  readonly known?: number;
}

const past = ({ run, position, entryTime, entry, exit, setup = "sweep", known = entryTime - MINUTE }: Past): Row[] => [
  {
    table: "positions",
    values: {
      ...{ run, seq: position, virtual: true, position, symbol: "AUSDT", leg: "both", direction: 1 },
      ...{ entry_time: entryTime, exit_time: entryTime + 9 * HOUR, lots: 0, entry_notional: 0, exit_notional: 0 },
      ...{ fees: 0, funding: 0, pnl: 0, reason: "target", strategy: "ict", setup, confidence: 0.5, stop: 1, target: 2 },
      ...{ leverage: 1, reasons: "[]", entry_price: entry, exit_price: exit, result: 1 },
      ...{ best_excursion: null, worst_excursion: null },
    },
  },
  {
    table: "feature_rows",
    values: {
      ...{ run, seq: position, symbol: "AUSDT", position, time: known, label_time: entryTime + 9 * HOUR, label: 1 },
      ...Object.fromEntries(
        Array.from({ length: FEATURES }, (_, place) => [featureColumn(place), place === 3 ? null : place + position]),
      ),
    },
  },
];

describe.each(KINDS)("what runs leave behind, on $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    let database: TestDatabase;
    let store: Store;
    beforeAll(async () => {
      database = await kind.create();
      store = await database.open();
    });
    afterAll(async () => {
      await store.close();
      await database.remove();
    });

    test("samples: of this market, with what was known at the entry, after costs; the same one once", async () => {
      const bars = 40 * 60;
      const column = (value: number) => new Float64Array(bars).fill(value);
      await storeKlines(
        store.sql,
        {
          symbol: "AUSDT",
          timeframe: MINUTE,
          openTime: Float64Array.from({ length: bars }, (_, i) => START + i * MINUTE),
          ...{ open: column(100), high: column(101), low: column(99), close: column(100), volume: column(1) },
        },
        START,
      );
      const at = START + HOUR;
      const writer = new StoreWriter(store, { spoolFolder: temporaryFolder() });
      const rows = [
        ...[1, 2].map(instrument),
        ...past({ run: 1, position: 1, entryTime: at, entry: 10_000, exit: 10_200 }),
        // Another run over the same market, a market in which this price never was, and a row from after the entry.
        ...past({ run: 2, position: 1, entryTime: at, entry: 10_000, exit: 10_200 }),
        ...past({ run: 2, position: 2, entryTime: at + HOUR, entry: 10_101, exit: 10_200 }),
        ...past({ run: 2, position: 3, entryTime: at + HOUR, entry: 10_000, exit: 10_200, known: at + HOUR + 1 }),
        ...past({ run: 2, position: 4, entryTime: at + 3 * HOUR, entry: 9900, exit: 9800, setup: "open" }),
      ];
      for (const row of rows) writer.add(row);
      await writer.drained();
      await writer.close();

      const options = { timeframe: MINUTE, costs: COSTS, fundingRate: 0.0001, range: {} };
      const samples = await storedSamples(store.sql, options);
      const turnover = 1 + 1.02;
      expect(samples).toStrictEqual([
        {
          ...{ symbol: "AUSDT", direction: 1, time: at - MINUTE, labelTime: at + 9 * HOUR },
          features: Float32Array.from({ length: FEATURES }, (_, place) => (place === 3 ? Number.NaN : place + 1)),
          // One settlement lies between 01:00 and 10:00, that of 08:00.
          net: 1.02 - 1 - turnover * 0.0007 - 0.0001,
          ...{ lagged: undefined, confidence: 0.5, setup: "sweep", probe: false },
        },
        expect.objectContaining({ time: at + 3 * HOUR - MINUTE, setup: "open", probe: true }),
      ]);
      const later = { ...options, range: { from: at + 10 * HOUR } };
      expect(await storedSamples(store.sql, later)).toHaveLength(1);

      // Funding that the store knows counts instead of the assumed one.
      await store.sql`INSERT INTO funding_rates (symbol, time, rate) VALUES ('AUSDT', ${at + HOUR}, 200000)`;
      const [first] = await storedSamples(store.sql, options);
      expect(first!.net).toBe(1.02 - 1 - turnover * 0.0007 - 0.002);
    });

    test("models and trials: once each, with the state they have now", async () => {
      const { manifest, artefact } = trained("signal", 1).result;
      const registry = new ModelFolder(join(temporaryFolder(), "models"));
      registry.add(manifest, artefact);
      const { parameters, seed, dataHash } = { parameters: { depth: 2 }, seed: 1, dataHash: "d" };
      registry.ledger.append(
        [1, 2].map((at) => ({ at, kind: "k", variant: "v", parameters, seed, dataHash, sharpe: 0.1, periods: 9 })),
      );
      await recordLineage(store.sql, registry);
      registry.move(manifest.id, "shadow", "passed", 1);
      await recordLineage(store.sql, registry);
      const models = await store.sql`SELECT id, kind, state, parent, manifest->>'dataHash' AS data FROM models`;
      expect([...models]).toEqual([
        { id: manifest.id, kind: "hybrid trees", state: "shadow", parent: null, data: manifest.dataHash },
      ]);
      const trials = await store.sql`SELECT id, parameters, metrics FROM trials ORDER BY at`;
      expect([...trials]).toEqual(
        registry.ledger.trials.map(({ chain }) => ({
          id: chain,
          parameters: { variant: "v", seed, depth: 2 },
          metrics: { dataHash, sharpe: 0.1, periods: 9 },
        })),
      );
    });
  });
});
