import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { TerminalDisplay } from "../../src/command-line/live-view.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { BarSource } from "../../src/market/bar-source.ts";
import { Collector } from "../../src/report/collector.ts";
import { runLive } from "../../src/service/live.ts";
import { Bench, candidate, LEFT_ALONE, START } from "../core/core-fixture.ts";

/** As much of a terminal as the view uses; anything else that is written to it is an error. */
class Screen {
  columns = 80;
  rows = 24;
  lines: string[] = [];
  alternate = false;
  cursor = true;
  writes: number[] = [];

  write(text: string): void {
    this.writes.push(text.length);
    // A visible sign for the escape, which regular expressions should not hold.
    let rest = text.replaceAll("\x1b", "␛");
    const take = (pattern: RegExp) => {
      const match = pattern.exec(rest);
      if (match !== null) rest = rest.slice(match[0].length);
      return match;
    };
    while (rest !== "") {
      const mode = take(/^␛\[\?(\d+)([hl])/);
      if (mode !== null) {
        if (mode[1] === "1049") this.alternate = mode[2] === "h";
        if (mode[1] === "25") this.cursor = mode[2] === "h";
        continue;
      }
      if (take(/^␛\[2J/) !== null) {
        this.lines = [];
        continue;
      }
      const line = take(/^␛\[(\d+);1H((?:[^␛]|␛\[[\d;]*m)*)␛\[K/);
      if (line === null) throw new Error(`not understood: ${JSON.stringify(rest.slice(0, 60))}`);
      expect(Number(line[1])).toBeLessThanOrEqual(this.rows);
      expect(stripVTControlCharacters(unescaped(line[2]!)).length).toBeLessThanOrEqual(this.columns);
      this.lines[Number(line[1]) - 1] = unescaped(line[2]!);
    }
  }
}

function unescaped(text: string): string {
  return text.replaceAll("␛", "\x1b");
}

describe("the terminal view of a run", () => {
  test("shows the stop where it is now, and the entry as it was paid", () => {
    const bench = new Bench({ life: { ...LEFT_ALONE, breakEvenAt: 1 } });
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    bench.fill(entry!.id, entry!.lots, 10_010);
    for (const order of bench.submitted()) bench.answer(order.id, "accepted");
    const { instruments } = bench.state.config;
    const screen = new Screen();
    const display = new TerminalDisplay("a bench", screen, { NO_COLOR: "1" });
    const draw = () => {
      display.tick({
        state: bench.state,
        collector: new Collector(instruments, START, bench.state.config.balance),
        marketTime: bench.now,
        behind: 0,
        learning: undefined,
        recording: undefined,
        source: { instruments, timeframe: 60_000 } as unknown as BarSource,
      });
      return screen.lines.join("\n");
    };
    expect(draw()).toContain("1001.0 → 1000.0");
    expect(draw()).toContain("stop 990.0, target 1020.0");
    bench.bars(10_150);
    expect(draw()).toContain("stop 1001.0, target 1020.0");
    display.end();
  });

  test("stays within the terminal, follows its size, writes only what changed and leaves the screen clean", async () => {
    const folder = mkdtempSync(join(tmpdir(), "penstock-view-"));
    try {
      const { settings } = loadSettings({ DATA_DIR: folder });
      const screen = new Screen();
      const display = new TerminalDisplay("generated market", screen, {});
      const stop = new AbortController();
      let ticks = 0;
      await runLive(settings, {
        market: { kind: "generated", seed: 1, symbols: 4 },
        without: [],
        speed: 20_000,
        duration: 20_000,
        signal: stop.signal,
        onRecord: (record) => display.record(record),
        onNotice: (level, text) => display.notice(level, text),
        onTick: (live) => {
          display.tick(live);
          ticks += 1;
          if (ticks === 4) Object.assign(screen, { columns: 150, rows: 40 });
          // Drawing the same twice writes nothing.
          const writes = screen.writes.length;
          if (ticks !== 4) display.tick(live);
          expect(screen.writes.length).toBe(writes);
          if (ticks === 8) stop.abort();
        },
      });
      expect(screen.alternate).toBe(true);
      expect(screen.cursor).toBe(false);
      const text = stripVTControlCharacters(screen.lines.join("\n"));
      // Nothing of the smaller frame is left.
      expect(text.match(/Ctrl-C/g)).toHaveLength(1);
      for (const part of ["SIMULATED", "generated market", "Positions", "Guards that said no", "Ctrl-C"]) {
        expect(text).toContain(part);
      }
      display.end();
      display.end();
      expect(screen.alternate).toBe(false);
      expect(screen.cursor).toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
