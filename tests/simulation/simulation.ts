import type { Effect, Trade } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { createState, type State } from "../../src/core/state.ts";
import { step } from "../../src/core/step.ts";
import type { VenueRequest } from "../../src/exchange/exchange.ts";
import type { SimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { ByteReader, ByteWriter } from "../../src/journal/binary.ts";
import { decodeEvent, encodeEffect, encodeEvent } from "../../src/journal/codec.ts";
import { printable } from "../../src/journal/replay.ts";
import { Random } from "../../src/market/random.ts";
import { tradesHash } from "../../src/report/trades-hash.ts";
import { Auditor, exchangeAuditor, Violation } from "./auditor.ts";
import { Weather } from "./weather.ts";
import type { Crash, World } from "./world.ts";

/** Bugs that can be planted in the process around the core. */
export interface Plant {
  /** Events of the journal that a restart overlooks, counted from the end. */
  readonly forgets?: number;
  /** A restart does not ask what became of the requests of the past. */
  readonly asksNothing?: boolean;
  /** A restart counts order ids from 1 again. */
  readonly idsBeginAnew?: boolean;
}

export interface Outcome {
  readonly seed: number;
  readonly events: number;
  readonly fills: number;
  /** Limit orders that waited to enter, those cut after a part had filled, and orders for what they had left. */
  readonly rested: number;
  readonly cut: number;
  readonly wentOn: number;
  readonly crashes: number;
  readonly trades: number;
  readonly tradesHash: string;
  /** Wallet, positions and open orders at the end, as one text. */
  readonly book: string;
  readonly violation:
    | { readonly invariant: string; readonly text: string; readonly last: readonly string[] }
    | undefined;
}

/** The process died: thrown to leave whatever it was doing. */
class Death extends Error {
  readonly crash: Crash;

  constructor(crash: Crash) {
    super("the process died");
    this.crash = crash;
  }
}

/** How long after the last bar timers may still fire. */
const AFTERMATH = 600_000;
/** Events after which a run is taken to go round in circles. */
const ENDLESS = 200_000;
const SHOWN = 25;
/** The weather's stream of a seed. */
const WEATHER = 9;

/** Runs one world through the real core and the real exchange model, audited after every event. */
export function simulate(world: World, plant: Plant = {}): Outcome {
  return new Simulation(world, plant).run();
}

/**
 * The process around the core, as the service's shell is meant to be: an event is journaled, stepped on, its effects
 * are journaled and performed one by one; a restart rebuilds everything from the journal and nothing else.
 */
class Simulation {
  readonly #world: World;
  readonly #plant: Plant;
  readonly #exchange: SimulatedExchange;
  readonly #weather: Weather;
  readonly #auditor: Auditor;
  readonly #end: number;

  /** The durable part. Events as the journal's bytes; effects, per event, as the bytes of those that were written. */
  readonly #events: Uint8Array[] = [];
  readonly #effects: Uint8Array[][] = [];
  readonly #crashes: Crash[];
  #crashed = 0;

  /** The volatile part: lost when the process dies. */
  #state: State;
  readonly #timers = new Map<string, number>();
  #awaited: number | undefined;
  #commands = 0;
  readonly #prices: number[];
  readonly #trades: Trade[] = [];
  #now = 0;

  constructor(world: World, plant: Plant) {
    this.#world = world;
    this.#plant = plant;
    this.#exchange = world.open();
    this.#weather = new Weather(this.#exchange, world.climate, new Random(world.seed, WEATHER), exchangeAuditor());
    this.#state = createState(world.config);
    this.#auditor = new Auditor(this.#state, world.limits);
    this.#prices = world.config.instruments.map(() => 0);
    this.#crashes = [...world.crashes];
    this.#end = world.end + AFTERMATH;
  }

  run(): Outcome {
    let violation: Outcome["violation"];
    try {
      for (;;) {
        try {
          if (!this.#take()) break;
          if (this.#events.length > ENDLESS) throw new Violation("it comes to an end", `${ENDLESS} events`);
        } catch (error) {
          if (!(error instanceof Death)) throw error;
          this.#restart(error.crash);
        }
      }
      this.#auditor.quiet(this.#state, this.#exchange);
      // A world without a rest may end in the middle of something.
      if (this.#world.restsFrom < this.#end) this.#auditor.atRest(this.#state);
    } catch (error) {
      const invariant = error instanceof Violation ? error.invariant : "the core does not break";
      const text = error instanceof Violation ? error.message : `${(error as Error).stack}`;
      violation = { invariant, text, last: this.#last() };
    }
    const { ledger, positions, orders } = this.#state;
    const held = [...positions].map(
      ([key, { direction, holding }]) => `${key} ${direction * holding.lots}@${holding.cost}`,
    );
    return {
      seed: this.#world.seed,
      events: this.#events.length,
      fills: this.#auditor.fills,
      rested: this.#auditor.rested,
      cut: this.#auditor.cut,
      wentOn: this.#auditor.wentOn,
      crashes: this.#crashed,
      trades: this.#trades.length,
      tradesHash: tradesHash(this.#trades, this.#world.config.instruments),
      book: [ledger.balances.wallet, ...held, ...orders.keys()].join(" "),
      violation,
    };
  }

  /** The next thing that happens; false at the end of the world. */
  #take(): boolean {
    const { commands } = this.#world;
    if (this.#awaited !== undefined) {
      this.#admit(this.#world.analyse(this.#awaited, this.#prices));
      return true;
    }
    let [timer, at] = ["", Number.POSITIVE_INFINITY];
    for (const [name, time] of this.#timers) if (time < at) [timer, at] = [name, time];
    const command = commands[this.#commands];
    const commandAt = command?.time ?? Number.POSITIVE_INFINITY;
    const until = Math.min(at, commandAt, this.#end);
    const event = this.#weather.next(until);
    if (event !== undefined) {
      this.#pass(this.#weather.now);
      if (event.kind === "bar" && this.#weather.quiet) this.#auditor.quiet(this.#state, this.#exchange);
      this.#admit(event);
    } else if (until === this.#end) {
      return false;
    } else if (command !== undefined && commandAt <= at) {
      this.#pass(commandAt);
      this.#admit(command);
    } else {
      this.#pass(at);
      this.#admit({ kind: "timer", time: at, symbol: -1, timer });
    }
    return true;
  }

  #pass(time: number): void {
    if (time > this.#now) this.#now = time;
  }

  #admit(event: Event): void {
    const crash = this.#now < this.#world.restsFrom ? this.#crashes[0] : undefined;
    const dies = crash !== undefined && this.#events.length + 1 >= crash.event ? crash : undefined;
    this.#events.push(bytes((out) => encodeEvent(out, event)));
    const written: Uint8Array[] = [];
    this.#effects.push(written);
    this.#auditor.event(event);
    if (dies !== undefined && dies.effects < 0) throw new Death(dies);
    const effects: Effect[] = [];
    this.#know(event);
    step(this.#state, event, effects);
    effects.forEach((effect, index) => {
      this.#write(effect, written);
      if (dies?.effects === index + 1 && !dies.performed) throw new Death(dies);
      this.#follow(effect);
      if (effect.kind === "submit" || effect.kind === "cancel") this.#send(effect);
      if (dies?.effects === index + 1) throw new Death(dies);
    });
    this.#auditor.after(this.#state);
    if (dies !== undefined) throw new Death(dies);
  }

  #write(effect: Effect, written: Uint8Array[]): void {
    written.push(bytes((out) => encodeEffect(out, effect)));
    this.#auditor.effect(effect);
  }

  /** What the process itself remembers of an event. */
  #know(event: Event): void {
    if (event.kind === "bar") this.#prices[event.symbol] = event.close;
    else if (event.kind === "analysis") this.#awaited = undefined;
    else if (event.kind === "timer") this.#timers.delete(event.timer);
    else if (event.kind === "command") this.#commands++;
  }

  /** What the process remembers of an effect. */
  #follow(effect: Effect): void {
    if (effect.kind === "set-timer") this.#timers.set(effect.timer, effect.at);
    else if (effect.kind === "clear-timer") this.#timers.delete(effect.timer);
    else if (effect.kind === "analyse") this.#awaited = effect.cycle;
    else if (effect.kind === "record" && effect.record.kind === "closed") this.#trades.push(effect.record.trade);
  }

  #send(request: VenueRequest): void {
    this.#weather.send(request, this.#now);
  }

  /** Comes back from the journal, finishes what was begun, and asks what became of the requests of the past. */
  #restart(crash: Crash): void {
    this.#crashes.shift();
    this.#crashed++;
    this.#now += crash.downtime;
    this.#weather.restart(this.#now);
    this.#timers.clear();
    this.#awaited = undefined;
    this.#commands = 0;
    this.#trades.length = 0;
    this.#state = createState(this.#world.config);
    const last = this.#events.length - 1;
    let unfinished: Effect[] = [];
    this.#events.slice(0, this.#events.length - (this.#plant.forgets ?? 0)).forEach((stored, index) => {
      const event = decodeEvent(new ByteReader(stored));
      const effects: Effect[] = [];
      this.#know(event);
      step(this.#state, event, effects);
      for (const effect of effects) this.#follow(effect);
      this.#compare(index, effects, index === last);
      if (index === last) unfinished = effects;
    });
    const written = this.#effects[last]!;
    for (const effect of unfinished.slice(written.length)) {
      this.#write(effect, written);
    }
    if (this.#plant.idsBeginAnew) this.#state.nextOrder = 1;
    // Requests are repeated under their own ids: those of the last event, and whatever else never arrived.
    for (const [id, order] of this.#plant.asksNothing ? [] : this.#state.orders) {
      if (!this.#weather.heardOf(id)) this.#send({ kind: "submit", order: order.request });
      if (order.state.kind === "cancelling") this.#send({ kind: "cancel", order: id, symbol: order.request.symbol });
    }
    this.#auditor.after(this.#state);
  }

  #compare(index: number, effects: readonly Effect[], last: boolean): void {
    const written = this.#effects[index]!;
    const same = written.every((stored, at) => {
      const effect = effects[at];
      return (
        effect !== undefined &&
        Buffer.compare(
          stored,
          bytes((out) => encodeEffect(out, effect)),
        ) === 0
      );
    });
    if (same && (last || written.length === effects.length)) return;
    throw new Violation("a journal replays to the identical decisions", `event ${index + 1} has other effects now`);
  }

  #last(): string[] {
    return this.#events
      .slice(-SHOWN)
      .map((stored) => decodeEvent(new ByteReader(stored)))
      .map(
        (event, index) =>
          `${this.#events.length - Math.min(SHOWN, this.#events.length) + index + 1} ${printable(event)}`,
      );
  }
}

const writer = new ByteWriter(1024);

function bytes(encode: (out: ByteWriter) => void): Uint8Array {
  writer.length = 0;
  encode(writer);
  return writer.written().slice();
}
