import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../../src/config/load.ts";
import { Door } from "../../../src/exchange/simulated/server/door.ts";
import { listen } from "../../../src/exchange/simulated/server/listen.ts";
import { Pace } from "../../../src/exchange/simulated/server/pace.ts";
import { openVenue } from "../../../src/service/simulated-venue.ts";

/** What became of a trader that was killed at one step and started again. */
export interface Killed {
  readonly step: string;
  /** Whether the step was reached at all. */
  readonly died: boolean;
  /** Passes and time until both books agreed, from the start of the second process. */
  readonly passes: number;
  readonly converged: number;
  /** What is wrong with the end, in words; none when all is well. */
  readonly wrong: readonly string[];
}

interface Line {
  readonly what: string;
  readonly ms: number;
  readonly [name: string]: unknown;
}

const CHILD = join(import.meta.dir, "killed-process.ts");
/** Market milliseconds per wall millisecond: a bar each six seconds. */
const SPEED = 10;
const PATIENCE = 60_000;

/** Kills a trader at a step of its order's life, starts it again, closes what it holds, and compares the books. */
export async function killedAt(step: string): Promise<Killed> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-killed-"));
  const { settings } = loadSettings({}, []);
  const market = { kind: "generated", seed: 3, symbols: 2 } as const;
  const venue = openVenue(settings, {
    market,
    without: [],
    lockstep: false,
    apiKey: "key",
    secret: "secret",
    balance: 10_000,
  });
  const port = listen(new Door(venue), 0);
  const pace = new Pace(venue, SPEED);
  const { symbol } = venue.exchange.instruments[0]!;
  const children: Bun.Subprocess[] = [];
  const start = (kill: string) => {
    const host = `127.0.0.1:${port.port}`;
    const child = Bun.spawn([process.execPath, CHILD], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: {
        ...process.env,
        DATA_DIR: folder,
        EXCHANGE: "binance",
        TRADING_ENABLED: "true",
        BINANCE_REST_URL: `http://${host}`,
        BINANCE_WS_URL: `ws://${host}`,
        BINANCE_WS_API_URL: `ws://${host}/ws-fapi/v1`,
        BINANCE_API_KEY: "key",
        BINANCE_API_SECRET: "secret",
        CYCLE_INTERVAL: "60",
        MIN_CONFIDENCE: "0.2",
        PENSTOCK_KILL: kill,
        PENSTOCK_SYMBOL: symbol,
      },
    });
    children.push(child);
    return { child, lines: linesOf(child.stdout) };
  };
  try {
    const first = start(step);
    let seen: Line[] = [];
    const wait = async (lines: AsyncGenerator<Line>, until: string): Promise<Line | undefined> => {
      for (;;) {
        const next = await within(lines.next(), PATIENCE);
        if (next === undefined || next.done) return undefined;
        seen.push(next.value);
        if (next.value.what === until) return next.value;
      }
    };
    // Steps of the way out come after the operator's word.
    if ((await wait(first.lines, "protected")) !== undefined) {
      first.child.stdin.write("flatten\n");
      first.child.stdin.flush();
      await wait(first.lines, "flat");
    }
    await first.child.exited;
    const died = first.child.signalCode === "SIGKILL";
    if (!died) return { step, died, passes: 0, converged: 0, wrong: [] };
    seen = [];
    const second = start("");
    const agreed = await wait(second.lines, "agreed");
    const wrong: string[] = [];
    if (agreed === undefined) wrong.push("the books never agreed");
    second.child.stdin.write("flatten\n");
    second.child.stdin.flush();
    const flat = seen.find(({ what }) => what === "flat") ?? (await wait(second.lines, "flat"));
    await second.child.exited;
    const { account } = venue.exchange;
    if (flat === undefined) wrong.push(`it never became flat: ${JSON.stringify(seen)}`);
    else {
      if (BigInt(String(flat["wallet"])) !== venue.exchange.wallet) {
        wrong.push(`wallet ${flat["wallet"]}, at the exchange ${venue.exchange.wallet}`);
      }
      for (const broken of flat["broken"] as string[]) wrong.push(broken);
    }
    for (const { lots } of account.positions) if (lots !== 0) wrong.push(`${lots} lots are left at the exchange`);
    const left = [...venue.trading.openOrders].length + [...venue.trading.openAlgos].length;
    if (left > 0) wrong.push(`${left} orders are left at the exchange`);
    return {
      step,
      died,
      passes: Number(agreed?.["passes"] ?? 0),
      converged: agreed?.ms ?? Number.POSITIVE_INFINITY,
      wrong,
    };
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
    pace.stop();
    await port.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as Line;
  }
}

/** Undefined when it takes too long. */
async function within<T>(promise: Promise<T>, most: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), most);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
