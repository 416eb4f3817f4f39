import { JournalWriter } from "../../src/journal/writer.ts";
import { someHeader } from "./arbitrary.ts";

/**
 * A process to be killed, or to run out of disk: `write PATH` journals one order after another and reports each once
 * its intent is written; `fill PATH` writes until the disk is full and reports how that showed.
 */
const [mode, path = ""] = process.argv.slice(2);

if (mode === "write") {
  const writer = new JournalWriter(path, someHeader({ bars: "stored" }), "intent");
  for (let order = 1; ; order++) {
    writer.event({ kind: "timer", time: order, symbol: -1, timer: "cycle" });
    writer.event({ kind: "bar", time: order, symbol: 0, open: 1, high: 2, low: 1, close: 2, volume: 3, flat: false });
    writer.effect({ kind: "cancel", order, symbol: 0 });
    if (order % 100 === 0) await Bun.write(Bun.stdout, `${order}\n`);
  }
} else {
  const header = someHeader();
  const writer = new JournalWriter(path, header, "buffered");
  const nameOf = (act: () => void): string => {
    try {
      act();
      return "no error";
    } catch (error) {
      return error instanceof Error ? error.name : String(error);
    }
  };
  for (let time = 1; time <= 1000; time++) writer.event({ kind: "timer", time, symbol: -1, timer: "cycle" });
  const name = nameOf(() => writer.flush());
  const again = nameOf(() => writer.flush());
  // Room is made where the tool for it exists: then the rest follows without a gap.
  const roomMade = Bun.which("prlimit") !== null;
  if (roomMade) Bun.spawnSync(["prlimit", "--pid", String(process.pid), "--fsize=unlimited"]);
  if (roomMade) writer.end({ tradesHash: "", trades: 0 });
  process.stdout.write(JSON.stringify({ name, again, roomMade }));
}
