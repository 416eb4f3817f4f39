import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../../src/config/load.ts";
import { Door } from "../../../src/exchange/simulated/server/door.ts";
import { listen, type PublicPort } from "../../../src/exchange/simulated/server/listen.ts";
import { Pace } from "../../../src/exchange/simulated/server/pace.ts";
import type { Venue } from "../../../src/exchange/simulated/server/venue.ts";
import { openVenue } from "../../../src/service/simulated-venue.ts";

/** What became of a trader that was killed at one step and started again. */
export interface Killed {
  readonly step: string;
  /** Whether the step was reached at all. */
  readonly died: boolean;
  /** Passes, time (ms) and request weight until both books agreed, from the start of the second process. */
  readonly passes: number;
  readonly converged: number;
  readonly weight: number;
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
/** How long a process may live: one that takes longer hangs, and is asked what it waits for. */
const LIFETIME = 180_000;
/** For the answer to that. */
const PATIENCE = 5_000;

/** A process that has not come to where it should have in its time. */
class Hang extends Error {}

/** A simulated exchange of this process, and traders in others. */
class Stage {
  readonly venue: Venue;
  readonly #folder = mkdtempSync(join(tmpdir(), "penstock-killed-"));
  readonly #port: PublicPort;
  readonly #pace: Pace;
  readonly #children: Bun.Subprocess[] = [];

  constructor() {
    const market = { kind: "generated", seed: 3, symbols: 2 } as const;
    this.venue = openVenue(loadSettings({}, []).settings, {
      market,
      without: [],
      lockstep: false,
      apiKey: "key",
      secret: "secret",
      balance: 10_000,
    });
    this.#port = listen(new Door(this.venue), 0);
    this.#pace = new Pace(this.venue, SPEED);
  }

  /** @param kill the step at which it dies; never when empty */
  start(kill: string, environment: Readonly<Record<string, string>> = {}): Child {
    const host = `127.0.0.1:${this.#port.port}`;
    const child = Bun.spawn([process.execPath, CHILD], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: {
        ...process.env,
        DATA_DIR: this.#folder,
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
        PENSTOCK_SYMBOL: this.venue.exchange.instruments[0]!.symbol,
        ...environment,
      },
    });
    this.#children.push(child);
    return new Child(child);
  }

  /** What the last process and the exchange do not agree about. */
  differences(flat: Line | undefined, seen: readonly Line[]): string[] {
    const { exchange, trading } = this.venue;
    const wrong: string[] = [];
    if (flat === undefined) wrong.push(`it never became flat: ${JSON.stringify(seen)}`);
    else {
      if (BigInt(String(flat["wallet"])) !== exchange.wallet) {
        wrong.push(`wallet ${flat["wallet"]}, at the exchange ${exchange.wallet}`);
      }
      for (const broken of flat["broken"] as string[]) wrong.push(broken);
    }
    for (const { lots } of exchange.positions) if (lots !== 0) wrong.push(`${lots} lots are left at the exchange`);
    const left = [...trading.openOrders].length + [...trading.openAlgos].length;
    if (left > 0) wrong.push(`${left} orders are left at the exchange`);
    return wrong;
  }

  async close(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill("SIGKILL");
    this.#pace.stop();
    await this.#port.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A trader's process and what it has said. */
class Child {
  readonly process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly seen: Line[] = [];
  readonly #lines: AsyncGenerator<Line>;
  readonly #until = performance.now() + LIFETIME;
  #next: Promise<IteratorResult<Line>> | undefined;

  constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.process = child;
    this.#lines = linesOf(child.stdout);
  }

  /** The next line of a kind, or the one that was seen; undefined when it has ended without. @throws Hang */
  async says(what: string): Promise<Line | undefined> {
    const before = this.seen.find((line) => line.what === what);
    if (before !== undefined) return before;
    for (;;) {
      const next = await this.#line(this.#until - performance.now());
      if (next === "none yet") throw await this.#hang(`to say "${what}"`);
      if (next === "no more" || next.what === what) return next === "no more" ? undefined : next;
    }
  }

  /** Whether it was killed. @throws Hang when it goes on */
  async ends(): Promise<boolean> {
    const code = await within(this.process.exited, this.#until - performance.now());
    if (code === undefined) throw await this.#hang("to end");
    return this.process.signalCode === "SIGKILL";
  }

  flatten(): void {
    this.#tell("flatten");
  }

  #tell(word: string): void {
    this.process.stdin.write(`${word}\n`);
    this.process.stdin.flush();
  }

  async #line(most: number): Promise<Line | "none yet" | "no more"> {
    this.#next ??= this.#lines.next();
    const next = await within(this.#next, most);
    if (next === undefined) return "none yet";
    this.#next = undefined;
    if (next.done) return "no more";
    this.seen.push(next.value);
    return next.value;
  }

  /** It had its time: in which state is it? */
  async #hang(awaited: string): Promise<Hang> {
    const said = this.seen.map(({ what, ms }) => `${what} (${ms} ms)`).join(", ");
    if (this.process.exitCode === null) this.#tell("state");
    let line: Line | "none yet" | "no more";
    do line = await this.#line(PATIENCE);
    while (typeof line !== "string" && line.what !== "state");
    const state = typeof line === "string" ? "it does not answer" : JSON.stringify(line);
    return new Hang(`waited ${LIFETIME} ms for it ${awaited}; it has said ${said || "nothing"}; ${state}`);
  }
}

/** How many requests leave, and how many words of the exchange come, in a position's life in which nobody dies. */
export async function wholeLife(): Promise<{ sends: number; words: number }> {
  const stage = new Stage();
  try {
    const child = stage.start("");
    await child.says("protected");
    child.flatten();
    const flat = await child.says("flat");
    return { sends: Number(flat?.["sends"]), words: Number(flat?.["words"]) };
  } finally {
    await stage.close();
  }
}

/** Kills a trader at a step of its order's life, starts it again, closes what it holds, and compares the books. */
export async function killedAt(step: string): Promise<Killed> {
  const stage = new Stage();
  try {
    const first = stage.start(step);
    // Steps of the way out come after the operator's word.
    if ((await first.says("protected")) !== undefined) first.flatten();
    const died = await first.ends();
    if (!died) return { step, died, passes: 0, converged: 0, weight: 0, wrong: [] };
    const second = stage.start("");
    const agreed = await second.says("agreed");
    second.flatten();
    const flat = await second.says("flat");
    await second.ends();
    return {
      step,
      died,
      passes: Number(agreed?.["passes"] ?? 0),
      converged: agreed?.ms ?? Number.POSITIVE_INFINITY,
      weight: Number(agreed?.["weight"] ?? 0),
      wrong: [...(agreed === undefined ? ["the books never agreed"] : []), ...stage.differences(flat, second.seen)],
    };
  } catch (error) {
    if (!(error instanceof Hang)) throw error;
    return { step, died: true, passes: 0, converged: 0, weight: 0, wrong: [`it hangs: ${error.message}`] };
  } finally {
    await stage.close();
  }
}

/** What became of a position whose trader was killed while another one stood by. */
export interface TakenOver {
  /** From the death of the first until the second has the right to trade, and until its books agree; ms. */
  readonly right: number;
  readonly agreed: number;
  readonly epochs: readonly number[];
  /** Whether the second had sent, or compared, anything before the first was dead. */
  readonly meddled: boolean;
  /** Entries at the exchange, by client id. */
  readonly entries: readonly string[];
  readonly wrong: readonly string[];
}

/** Two traders on one database, one account and one folder: the second takes over what the first has left. */
export async function takenOver(databaseUrl: string): Promise<TakenOver> {
  const stage = new Stage();
  try {
    const shared = { DATABASE_URL: databaseUrl, LEASE_SECONDS: "4" };
    const first = stage.start("", shared);
    await first.says("protected");
    const second = stage.start("", shared);
    const orders = stage.venue.trading.orders.size + stage.venue.trading.algos.size;
    await second.says("stands by");
    const meddled = second.seen.length > 1 || stage.venue.trading.orders.size + stage.venue.trading.algos.size > orders;
    first.process.kill("SIGKILL");
    const dead = performance.now();
    const right = await second.says("right");
    const rightAfter = performance.now() - dead;
    const agreed = await second.says("agreed");
    const agreedAfter = performance.now() - dead;
    second.flatten();
    const flat = await second.says("flat");
    const started = first.seen.find(({ what }) => what === "right");
    const entries = [...stage.venue.trading.orders.values()].filter(({ reduceOnly, algo }) => !reduceOnly && !algo);
    return {
      right: right === undefined ? Number.POSITIVE_INFINITY : rightAfter,
      agreed: agreed === undefined ? Number.POSITIVE_INFINITY : agreedAfter,
      epochs: [Number(started?.["epoch"]), Number(right?.["epoch"])],
      meddled,
      entries: entries.map(({ clientOrderId }) => clientOrderId),
      wrong: stage.differences(flat, second.seen),
    };
  } finally {
    await stage.close();
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
