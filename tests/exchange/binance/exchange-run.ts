import { checkBook } from "../../../src/core/check-book.ts";
import type { Effect } from "../../../src/core/effects.ts";
import type { Event } from "../../../src/core/events.ts";
import { createState, type State } from "../../../src/core/state.ts";
import { step } from "../../../src/core/step.ts";
import { type BookImage, LiveBook } from "../../../src/exchange/binance/book.ts";
import { parseClientId } from "../../../src/exchange/binance/client-id.ts";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type { ForeignPolicy } from "../../../src/exchange/binance/reconcile.ts";
import { Recovery } from "../../../src/exchange/binance/recovered.ts";
import { Schedule } from "../../../src/exchange/binance/schedule.ts";
import type { VenueEvent } from "../../../src/exchange/exchange.ts";
import { decodeImage, encodeImage } from "../../../src/journal/image.ts";
import { printable } from "../../../src/journal/replay.ts";
import { Random } from "../../../src/market/random.ts";
import { Auditor, Violation } from "../../simulation/auditor.ts";
import type { Crash, World } from "../../simulation/world.ts";
import { GatewayVenue, type Hand } from "./gateway-venue.ts";
import { drawFaults, type VenueFaults } from "./venue-faults.ts";

export interface ExchangeOutcome {
  readonly seed: number;
  readonly events: number;
  readonly fills: number;
  readonly entries: number;
  /** Limit orders that waited to enter, those cut after a part had filled, and orders for what they had left. */
  readonly rested: number;
  readonly cut: number;
  readonly wentOn: number;
  readonly crashes: number;
  readonly comparisons: number;
  /** Of all comparisons of the books: the most passes that one took. */
  readonly mostPasses: number;
  /** From the report of a fill to the acknowledgement of a stop or the sending of an exit, ms. */
  readonly longestNaked: number;
  /** Positions of somebody else: opened, adopted, and closed by us. */
  readonly foreign: { readonly opened: number; readonly adopted: number; readonly flattened: number };
  readonly happened: ReadonlyMap<string, number>;
  readonly violation:
    | { readonly invariant: string; readonly text: string; readonly last: readonly string[] }
    | undefined;
}

class Death extends Error {
  readonly crash: Crash;

  constructor(crash: Crash) {
    super("the process died");
    this.crash = crash;
  }
}

const FAULTS = 11;
/** Symbol of somebody else. */
export const HAND = 0;
const AFTERMATH = 900_000;
const MOST_SKEW = 400;
/** Chance of a checkpoint after an event. */
const CUTS = 0.02;
const ENDLESS = 400_000;
const SHOWN = 40;

/** Everything that the process has awaited runs now. */
function flushed(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * The real core and the real exchange client over a venue in which anything may go wrong, in simulated time, with a
 * journal as the only thing that survives a crash; audited after every event.
 */
export class ExchangeRun {
  readonly #world: World;
  readonly #venue: GatewayVenue;
  readonly #agenda = new Schedule();
  readonly #auditor: Auditor;
  readonly #end: number;
  readonly #journal: { readonly event: Event; readonly effects: Effect[]; readonly epoch: number }[] = [];
  readonly #crashes: Crash[];
  readonly #hand: (Hand & { readonly policy: ForeignPolicy }) | undefined;
  readonly #hedge: boolean;
  readonly #missed: VenueEvent[] = [];
  readonly #notices: string[] = [];
  #book: LiveBook;
  /** The book as it was after some event of some process, as it lies on its disk. */
  #checkpoint: { readonly events: number; readonly image: Uint8Array } | undefined;
  readonly #cuts: Random;
  #exchange: BinanceExchange | undefined;
  readonly #timers = new Map<string, number>();
  #awaited: number | undefined;
  #commands = 0;
  #prices: number[];
  #epoch = 1;
  #crashed = 0;
  readonly #entryIds = new Set<number>();
  #comparisons = 0;
  #mostPasses = 0;
  #now = 0;
  readonly #skews: Random;
  /** How far this process's idea of the exchange's clock is from it, ms: another one for each process. */
  #skew = 0;

  /**
   * @param hedge the account has two legs per symbol
   * @param hand with it, somebody else opens positions on the first symbol
   */
  constructor(
    world: World,
    faults: VenueFaults = drawFaults(world.seed, new Random(world.seed, FAULTS), world.restsFrom),
    hand?: Hand & { readonly policy: ForeignPolicy },
    hedge = false,
  ) {
    const inner = world.open();
    if (hedge && !inner.setModes({ position: "hedge", margin: "isolated" })) throw new Error("the mode was not taken");
    this.#hedge = hedge;
    this.#world = hedge ? { ...world, config: { ...world.config, hedge } } : world;
    this.#hand = hand;
    this.#book = this.#newBook();
    this.#cuts = new Random(world.seed, FAULTS + 3);
    this.#auditor = new Auditor(this.#state, world.limits);
    this.#prices = world.config.instruments.map(() => 0);
    this.#crashes = [...world.crashes];
    this.#end = world.end + AFTERMATH;
    const random = new Random(world.seed, FAULTS + 1);
    const market = (event: VenueEvent) => {
      if (this.#exchange === undefined) this.#missed.push(event);
      else this.#exchange.market(event);
    };
    const stamp = () => this.#now + this.#skew;
    this.#skews = new Random(world.seed, FAULTS + 2);
    this.#venue = new GatewayVenue(inner, faults, random, this.#agenda, () => this.#now, stamp, market, hand);
  }

  async run(): Promise<ExchangeOutcome> {
    let violation: ExchangeOutcome["violation"];
    try {
      await this.#run();
      this.#atRest();
    } catch (error) {
      const invariant = error instanceof Violation ? error.invariant : "nothing breaks";
      const text = error instanceof Violation ? error.message : `${(error as Error).stack}`;
      violation = { invariant, text, last: this.#last() };
    }
    return {
      seed: this.#world.seed,
      events: this.#journal.length,
      fills: this.#auditor.fills,
      entries: this.#entryIds.size,
      rested: this.#auditor.rested,
      cut: this.#auditor.cut,
      wentOn: this.#auditor.wentOn,
      crashes: this.#crashed,
      comparisons: this.#comparisons,
      mostPasses: this.#mostPasses,
      longestNaked: this.#auditor.longestNaked,
      foreign: {
        opened: this.#venue.handOpened,
        adopted: this.#auditor.adoptions,
        flattened: this.#notices.filter((text) => text.includes("of somebody else are closed")).length,
      },
      happened: this.#venue.happened,
      violation,
    };
  }

  async #run(): Promise<void> {
    let begun = false;
    for (;;) {
      try {
        while (this.#take()) {
          if (this.#journal.length > ENDLESS) throw new Violation("it comes to an end", `${ENDLESS} events`);
        }
        const alive = this.#exchange !== undefined;
        const until = Math.min(
          this.#agenda.next,
          (this.#exchange?.wakeAt ?? Number.POSITIVE_INFINITY) - this.#skew,
          ...this.#timers.values(),
          (alive ? this.#world.commands[this.#commands]?.time : undefined) ?? Number.POSITIVE_INFINITY,
          this.#end,
        );
        if (this.#venue.pump(until, (time) => this.#pass(time))) {
          if (!begun) this.#comeBack();
          begun = true;
          continue;
        }
        this.#pass(until);
        if (until >= this.#end) return;
        this.#agenda.run(this.#now);
        await flushed();
        this.#watchComparisons();
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        this.#die(error.crash);
      }
    }
  }

  get #state(): State {
    return this.#book.state;
  }

  #newBook(): LiveBook {
    const { config } = this.#world;
    return new LiveBook(createState(config), new Recovery(config.instruments, this.#hedge));
  }

  get time(): number {
    return this.#now;
  }

  #pass(time: number): void {
    if (time > this.#now && time !== Number.POSITIVE_INFINITY) this.#now = time;
  }

  #newExchange(recovered: ReturnType<Recovery["finish"]>): BinanceExchange {
    return new BinanceExchange({
      gateway: this.#venue,
      instruments: this.#world.config.instruments,
      hedge: this.#hedge,
      epoch: this.#epoch,
      clock: () => this.#now + this.#skew,
      clockError: () => Math.abs(this.#skew),
      marketTime: () => this.#now,
      foreign: this.#hand?.policy ?? "ignore",
      adoptedStop: 0.01,
      wallet: () => this.#state.ledger.balances.wallet,
      notice: (level, text) => this.#notices.push(`${this.#now} ${level} ${text}`),
      recovered,
      times: { period: 60_000, interval: 900_000 },
    });
  }

  /** One thing that is there to be taken; false when there is nothing before time passes. */
  #take(): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) return false;
    if (this.#awaited !== undefined) {
      const analysis = this.#world.analyse(this.#awaited, this.#prices);
      const candidates = analysis.candidates.filter(({ symbol, direction }) => {
        if (this.#hand === undefined || symbol !== HAND) return true;
        return this.#hand.beside && direction === 1;
      });
      this.#admit({ ...analysis, candidates });
      return true;
    }
    let [timer, at] = ["", Number.POSITIVE_INFINITY];
    for (const [name, time] of this.#timers) if (time < at) [timer, at] = [name, time];
    const event = exchange.next(Math.min(at, this.#now));
    if (event !== undefined) {
      this.#admit(event);
      return true;
    }
    if (at <= this.#now) {
      this.#admit({ kind: "timer", time: at, symbol: -1, timer });
      return true;
    }
    const command = this.#world.commands[this.#commands];
    if (command !== undefined && command.time <= this.#now) {
      this.#admit(command);
      return true;
    }
    return false;
  }

  #admit(event: Event): void {
    const crash = this.#now < this.#world.restsFrom ? this.#crashes[0] : undefined;
    const dies = crash !== undefined && this.#journal.length + 1 >= crash.event ? crash : undefined;
    const written: Effect[] = [];
    this.#journal.push({ event, effects: written, epoch: this.#epoch });
    this.#auditor.event(event);
    if (dies !== undefined && dies.effects < 0) throw new Death(dies);
    this.#know(event);
    const effects: Effect[] = [];
    step(this.#state, event, effects);
    effects.forEach((effect, index) => {
      written.push(effect);
      this.#auditor.effect(effect);
      if (dies?.effects === index + 1 && !dies.performed) throw new Death(dies);
      this.#follow(effect);
      if (effect.kind === "submit" || effect.kind === "cancel" || effect.kind === "amend") {
        if (effect.kind === "submit" && effect.order.purpose === "entry") this.#entryIds.add(effect.order.id);
        this.#exchange!.send(effect, this.#now);
      }
      if (dies?.effects === index + 1) throw new Death(dies);
    });
    this.#auditor.after(this.#state);
    if (dies !== undefined) throw new Death(dies);
    this.#book.stepped(event, effects);
    if (this.#cuts.chance(CUTS)) {
      this.#checkpoint = { events: this.#journal.length, image: encodeImage(this.#book.image()) };
    }
  }

  #know(event: Event): void {
    if (event.kind === "bar") this.#prices[event.symbol] = event.close;
    else if (event.kind === "analysis") this.#awaited = undefined;
    else if (event.kind === "timer") this.#timers.delete(event.timer);
    else if (event.kind === "command") this.#commands++;
  }

  #follow(effect: Effect): void {
    if (effect.kind === "set-timer") this.#timers.set(effect.timer, effect.at);
    else if (effect.kind === "clear-timer") this.#timers.delete(effect.timer);
    else if (effect.kind === "analyse") this.#awaited = effect.cycle;
  }

  /** The process is gone; after its downtime another one comes up from the journal. */
  #die(crash: Crash): void {
    this.#crashes.shift();
    this.#crashed++;
    this.#venue.die();
    this.#exchange = undefined;
    this.#timers.clear();
    this.#awaited = undefined;
    this.#agenda.at(this.#now + crash.downtime, () => this.#comeBack());
  }

  #comeBack(): void {
    this.#epoch++;
    this.#skew = this.#skews.chance(0.5) ? this.#skews.whole(-MOST_SKEW, MOST_SKEW) : 0;
    this.#commands = 0;
    this.#book = this.#newBook();
    const last = this.#journal.length - 1;
    let before = 0;
    this.#journal.forEach(({ event, effects: written, epoch }, index) => {
      this.#know(event);
      if (epoch !== before) this.#book.begins(epoch);
      before = epoch;
      const effects: Effect[] = [];
      step(this.#state, event, effects);
      for (const effect of effects) this.#follow(effect);
      this.#book.stepped(event, effects);
      if (this.#checkpoint?.events === index + 1) this.#goOnFrom(this.#checkpoint.image);
      if (index < last && effects.length !== written.length) {
        throw new Violation("a journal replays to the identical decisions", `event ${index + 1}`);
      }
      for (const effect of effects.slice(written.length)) {
        written.push(effect);
        this.#auditor.effect(effect);
      }
    });
    // The analysis of a cycle that was asked for then is not waited for.
    this.#awaited = undefined;
    this.#exchange = this.#newExchange(this.#book.recovered());
    this.#book.begins(this.#epoch);
    this.#exchange.begin();
    for (const event of this.#missed.splice(0)) this.#exchange.market(event);
    this.#auditor.after(this.#state);
  }

  #watched: unknown;

  #watchComparisons(): void {
    const last = this.#exchange?.reconciler.last;
    if (last === undefined || last === this.#watched) return;
    this.#watched = last;
    this.#comparisons++;
    if (last.passes > this.#mostPasses) this.#mostPasses = last.passes;
    if (!last.agreed && this.#now > this.#world.restsFrom + 300_000) {
      throw new Violation("the books come together", `no agreement after ${last.passes} passes`);
    }
  }

  #atRest(): void {
    const { wallet } = this.#venue.inner;
    // What could not be adopted stays somebody else's, and its symbol stays barred.
    const isRefused = this.#exchange!.barred.get(HAND)?.has("foreign") === true && this.#hand?.policy === "adopt";
    const staysForeign = isRefused || this.#hand?.beside === true;
    const slots = this.#venue.inner.positions;
    const positions = this.#world.config.instruments.map((_, symbol) => {
      const [long, short] = this.#hedge ? [slots[2 * symbol]!, slots[2 * symbol + 1]!] : [slots[symbol]!, { lots: 0 }];
      const lots = long.lots + (this.#hand?.beside && symbol === HAND ? 0 : short.lots);
      return { lots: isRefused && symbol === HAND ? 0 : lots };
    });
    this.#auditor.quiet(this.#state, { positions, wallet, openOrders: this.#venue.bookOrders } as never);
    this.#auditor.atRest(this.#state);
    // What others trade costs the account its commissions. Nothing else comes from outside where all that they opened
    // became ours; what was liquidated or closed before it did is their own affair.
    const others = -this.#venue.handFees;
    const isOursAlone = this.#venue.handOpened === this.#auditor.adoptions && this.#hand?.closes !== true;
    if (isOursAlone && this.#auditor.transferred !== others) {
      throw new Violation("books agree when quiet", `${this.#auditor.transferred} from outside, not ${others}`);
    }
    const broken = checkBook(this.#state);
    if (broken.length > 0) throw new Violation("the book is whole", broken.join("; "));
    // What only closes may be sent again under its own id; what opens may not.
    for (const [clientId, times] of this.#venue.placed) {
      const id = parseClientId(clientId)!;
      if (id.auxiliary || times === 1 || !this.#entryIds.has(id.number)) continue;
      throw new Violation("no entry is doubled", `${clientId} was placed ${times} times`);
    }
    // A refusal that only a person can do something about stays until one has.
    const { happened } = this.#venue;
    const lasting = happened.has("refused") || happened.has("restricted") ? "refusal" : "";
    const reasons = [...this.#exchange!.barred].flatMap(([symbol, topics]) =>
      [...topics].flatMap(([topic, { entries, reason }]) =>
        entries === "none" && topic !== lasting && !(staysForeign && symbol === HAND) ? [`${symbol}: ${reason}`] : [],
      ),
    );
    if (reasons.length > 0) throw new Violation("entries are free again at the end", reasons.join("; "));
  }

  /** The checkpoint is the book of the replay so far, to the byte; every other time it is gone on with. */
  #goOnFrom(image: Uint8Array): void {
    if (!Buffer.from(image).equals(encodeImage(this.#book.image()))) {
      throw new Violation("a checkpoint is the book of the replay", `after event ${this.#book.records}`);
    }
    if (this.#cuts.chance(0.5)) return;
    const { config } = this.#world;
    const recovery = new Recovery(config.instruments, this.#hedge);
    this.#book = LiveBook.restored(createState(config), recovery, decodeImage(image) as BookImage);
  }

  #last(): string[] {
    const events = this.#journal
      .slice(-SHOWN)
      .flatMap(({ event, effects }) => [
        `${printable(event)}`,
        ...effects
          .filter(({ kind }) => kind === "submit" || kind === "cancel")
          .map((effect) => `    ${printable(effect)}`),
      ]);
    const busy = [...(this.#exchange?.desk.open ?? [])].map(
      (record) => `open: ${JSON.stringify({ ...record, trades: [...record.trades] })}`,
    );
    return [...busy, ...this.#notices.slice(-8), `now ${this.#now}, journal ${this.#journal.length}`, ...events];
  }
}
