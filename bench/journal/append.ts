import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Effect } from "../../src/core/effects.ts";
import type { BarEvent, Event } from "../../src/core/events.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { type Durability, JournalWriter } from "../../src/journal/writer.ts";
import { someHeader } from "../../tests/journal/arbitrary.ts";

/** Nanoseconds per append of what a run appends most, beside one line of JSON; each file is read back before it counts. */

const fill: Event = {
  kind: "fill",
  time: 1_700_000_000_000,
  symbol: 12,
  order: 12345,
  trade: "987654321",
  lots: 120,
  price: 64_123,
  fee: 30_000_000,
  maker: false,
  done: true,
};
const bar: BarEvent = {
  kind: "bar",
  time: 1_700_000_000_000,
  symbol: 12,
  open: 64_123,
  high: 64_200,
  low: 64_100,
  close: 64_150,
  volume: 12.25,
  flat: false,
};
const cancel: Effect = { kind: "cancel", order: 12345, symbol: 12 };
const analyse: Effect = { kind: "analyse", cycle: 1, late: [] };
const equity: Effect = {
  kind: "record",
  record: { kind: "equity", time: 1, equity: 1e12, wallet: 1e12, unrealised: 0, margin: 0, exposure: 0, positions: 0 },
};

const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));

function measure(
  name: string,
  count: number,
  append: (writer: JournalWriter) => void,
  durability: Durability = "buffered",
  bars: "referenced" | "stored" = "referenced",
): void {
  const times: number[] = [];
  let bytes = 0;
  for (let run = 0; run < 5; run++) {
    const path = join(folder, `${name}-${run}.journal`);
    const writer = new JournalWriter(path, someHeader({ bars }), durability);
    const empty = statSync(path).size;
    const start = Bun.nanoseconds();
    for (let i = 0; i < count; i++) append(writer);
    writer.flush();
    times.push((Bun.nanoseconds() - start) / count);
    writer.end({ tradesHash: "", trades: 0 });
    writer.close();
    bytes = (statSync(path).size - empty) / count;
    let last = "";
    for (const { record } of readJournal(path).records()) last = record.kind;
    if (last !== "end") throw new Error(`${name}: the journal does not read back`);
    rmSync(path);
  }
  times.sort((a, b) => a - b);
  console.log(`${name.padEnd(28)} ${times[2]!.toFixed(0).padStart(7)} ns  ${bytes.toFixed(1).padStart(7)} bytes`);
}

try {
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(4096);
  const count = 200_000;
  const start = Bun.nanoseconds();
  for (let i = 0; i < count; i++) encoder.encodeInto(JSON.stringify(fill), buffer);
  console.log(
    `${"fill as JSON, not written".padEnd(28)} ${((Bun.nanoseconds() - start) / count).toFixed(0).padStart(7)} ns`,
  );
  measure("fill", count, (writer) => writer.event(fill));
  measure("bar, referenced", count, (writer) => writer.event(bar));
  measure("bar, stored", count, (writer) => writer.event(bar), "buffered", "stored");
  // A whole step: block of two effects of which the file has the hash, and the reference to its bar.
  let time = 0;
  measure("step of bar and two effects", count, (writer) => {
    writer.event({ ...bar, time: time++ });
    writer.effect(equity);
    writer.effect(analyse);
  });
  measure("cancel", count, (writer) => writer.effect(cancel));
  measure("cancel, written at once", 20_000, (writer) => writer.effect(cancel), "intent");
  measure("fill and fdatasync", 200, (writer) => {
    writer.event(fill);
    writer.sync();
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
