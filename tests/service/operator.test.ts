import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry } from "../../src/admin/protocol.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { Event } from "../../src/core/events.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { newState } from "../../src/service/assembly.ts";
import { KILL_MS, Operator } from "../../src/service/operator.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";

let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
});

let folders = 0;

/** An operator at a desk of paper, and a trader that only notes what it is told. */
function desk() {
  const data = join(folder, `data-${folders++}`);
  mkdirSync(data);
  const loaded = loadSettings({ STRATEGY_MODE: "ict", DATA_DIR: data });
  const source = generateMarket({ seed: 3, symbols: 2, start: 0, historySteps: 0 });
  const state = newState(loaded.settings, source.instruments, 0);
  const admitted: Event[] = [];
  const notices: string[] = [];
  const audit: AuditEntry[] = [];
  const answers: [id: number, ok: boolean, message: string][] = [];
  const requests: ConstructorParameters<typeof Operator>[0]["requests"] = [];
  const trader = {
    admit: (event: Event) => {
      admitted.push(event);
      if (event.kind === "setting") state.changed.set(event.name, event.value);
    },
  };
  const operator = new Operator(
    {
      requests,
      audit: (entry) => audit.push(entry),
      answer: (...answer) => answers.push(answer),
      settings: () => {},
    },
    trader,
    state,
    loaded,
    (_, text) => notices.push(text),
  );
  const ask = (request: (typeof requests)[number]["request"], clock = 0) => {
    requests.push({ id: answers.length + 1, actor: "operator:0", request });
    operator.attend(0, clock);
    return answers.at(-1)!;
  };
  const file = (name: string) => join(data, name);
  return { operator, ask, state, admitted, notices, audit, file, data };
}

const set = (name: string, value: string) => ({ kind: "setting", name, value }) as const;
const command = (name: "pause" | "resume" | "flatten" | "kill" | "reduce-only") =>
  ({ kind: "command", command: name }) as const;

describe("what operators ask", () => {
  test("becomes events of the core, whatever the state of breaker and connection", () => {
    const { ask, admitted, state } = desk();
    state.risk.breaker = "blocked";
    state.connected = false;
    for (const name of ["pause", "reduce-only", "resume", "flatten", "kill"] as const) {
      expect(ask(command(name))[1], name).toBe(true);
    }
    const told = admitted.map((event) => (event as Extract<Event, { kind: "command" }>).command);
    expect(told).toEqual(["pause", "reduce-only", "resume", "flatten", "halt"]);
  });

  test("is written down, done or not, and no secret with it", () => {
    const { ask, audit, file } = desk();
    expect(ask(set("MAX_SIGNALS", "3"))).toMatchObject({ 1: true });
    expect(ask(set("MAX_SIGNALS", "99999"))).toMatchObject({ 1: false });
    expect(ask(set("ADMIN_TOKEN", "a-secret-typed-into-the-wrong-place"))).toMatchObject({ 1: false });
    expect(ask(set("BINANCE_API_SECRT", "a-secret-typed-into-the-wrong-place"))).toMatchObject({ 1: false });
    expect(ask(set("__proto__", "1"))).toMatchObject({ 1: false });
    const written = readFileSync(file("audit.jsonl"), "utf8");
    expect(
      written
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(audit);
    expect(written).not.toContain("a-secret");
    expect(audit[1]).toMatchObject({ action: "set MAX_SIGNALS", to: "99999" });
  });

  test("is done although the disk takes nothing, and the operator is told", () => {
    const { ask, admitted, notices, file, data } = desk();
    // A folder in the place of the file fails for root too.
    mkdirSync(file("audit.jsonl"));
    const [, ok, message] = ask(command("pause"));
    expect([ok, admitted.length]).toEqual([true, 1]);
    expect(message).toContain("audit.jsonl in DATA_DIR could not be written (EISDIR)");
    expect(message).not.toContain(data);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain("trading goes on");
  });

  test("a change holds although it cannot be kept, and that is said", () => {
    const { ask, state, notices, file } = desk();
    writeFileSync(file("settings.json"), "{ torn");
    const [, ok, message] = ask(set("MAX_SIGNALS", "4"));
    expect([ok, state.changed.get("MAX_SIGNALS")]).toEqual([true, "4"]);
    expect(message).toContain("settings.json in DATA_DIR could not be written");
    expect(notices).toHaveLength(1);
    expect(readFileSync(file("settings.json"), "utf8")).toBe("{ torn");
    rmSync(file("settings.json"));
    mkdirSync(file("settings.json.new"));
    expect(ask(set("MAX_SIGNALS", "5"))[2]).toContain("EISDIR");
    expect(existsSync(file("settings.json"))).toBe(false);
  });

  test("nothing leads out of a kill", () => {
    const { ask, admitted, operator } = desk();
    expect(operator.isDone(0)).toBe(false);
    ask(command("kill"));
    for (const request of [command("resume"), command("pause"), set("MAX_SIGNALS", "3")]) {
      expect(ask(request)[2]).toContain("kill was asked for");
    }
    expect(ask(command("kill"))[1]).toBe(true);
    expect(admitted).toHaveLength(2);
  });

  test("kill ends when all is flat, and otherwise after its time, with an alarm", () => {
    const { ask, operator, state, notices } = desk();
    state.orders.set(1, {} as never);
    ask(command("kill"), 1000);
    expect(operator.isDone(1000)).toBe(false);
    // Asking again is no reason to wait longer.
    ask(command("kill"), 100_000);
    expect(operator.isDone(1000 + KILL_MS - 1)).toBe(false);
    expect(notices).toEqual([]);
    expect(operator.isDone(1000 + KILL_MS)).toBe(true);
    expect(notices[0]).toContain("still 0 positions and 1 orders");
    state.orders.clear();
    expect(operator.isDone(1001)).toBe(true);
  });
});
