import type { Instrument } from "../../core/instrument.ts";
import { clientIdText } from "./client-id.ts";
import { priceText, quantityText } from "./decimals.ts";
import type { AlgoUpdate, Gateway, Outcome } from "./gateway.ts";
import type { Schedule } from "./schedule.ts";

export interface StopProofOptions {
  readonly gateway: Gateway;
  readonly clock: () => number;
  readonly schedule: Schedule;
  readonly epoch: number;
  /** Epoch of the lease that we trade under; 0 without one. */
  readonly lease: () => number;
  readonly hedge: boolean;
  readonly times: StopProofTimes;
  /** A symbol on which nothing of ours is held or open, and its last price in ticks; undefined while there is none. */
  readonly pick: () => { readonly instrument: Instrument; readonly price: number } | undefined;
  /**
   * Called with the reason while the stop path is not proven, and with undefined once it is. Where the exchange takes no
   * closing order while nothing is held, only a position can prove it: `smallest` entries are allowed for that.
   */
  readonly judged: (problem: string | undefined, entries: "smallest" | "none") => void;
  readonly notice: (level: "info" | "warning" | "alarm", text: string) => void;
}

export interface StopProofTimes {
  /** Between two proofs; between a failed one and the next; how long each step of it may take. */
  readonly interval: number;
  readonly retry: number;
  readonly bound: number;
}

export const STOP_PROOF_TIMES: StopProofTimes = { interval: 3_600_000, retry: 15_000, bound: 5000 };

type Step =
  | { readonly kind: "idle" }
  | { readonly kind: "placing" | "standing" | "cancelling"; readonly clientId: string; readonly symbol: string };

/**
 * Proves that stops can be had: places a conditional order far from the market that could never open a position, sees it
 * acknowledged, cancels it and sees its end. Until that has worked, and whenever it has not for too long, nothing is
 * entered. Twice failed in a row after a success is a failure: one bad answer must not close the shop for an hour.
 */
export class StopProof {
  readonly #options: StopProofOptions;
  #step: Step = { kind: "idle" };
  #number = 0;
  #proven = false;
  #failures = 0;
  /** Tells late answers of an earlier attempt from those of this one. */
  #attempt = 0;

  constructor(options: StopProofOptions) {
    this.#options = options;
  }

  /** Whether a probe is out. */
  get isProbing(): boolean {
    return this.#step.kind !== "idle";
  }

  isUnderWay(clientId: string): boolean {
    return this.#step.kind !== "idle" && this.#step.clientId === clientId;
  }

  /** Begins a proof and repeats it for ever. */
  begin(): void {
    const { pick, schedule, clock, times, epoch, lease, hedge, gateway } = this.#options;
    const chosen = pick();
    if (chosen === undefined) {
      // Where everything is held, standing stops are the proof.
      if (!this.#proven)
        this.#options.judged("the stop path waits for a price or a flat symbol to be proven on", "none");
      schedule.at(clock() + times.retry, () => this.begin());
      return;
    }
    const { instrument, price } = chosen;
    const { symbol } = instrument;
    const clientId = clientIdText({ epoch, lease: lease(), number: ++this.#number, auxiliary: true });
    const attempt = ++this.#attempt;
    this.#step = { kind: "placing", clientId, symbol };
    // Half the price is out of reach, and above the smallest price that filters allow.
    const triggerPrice = priceText(instrument, Math.max(1, Math.floor(price / 2)));
    const closing = {
      symbol,
      clientId,
      side: "SELL",
      type: "STOP_MARKET",
      triggerPrice,
      workingType: "MARK_PRICE",
    } as const;
    const side = hedge ? { positionSide: "LONG" as const } : {};
    const placed = (outcome: Outcome<{ readonly status: string }>, again: boolean) => {
      if (attempt !== this.#attempt || this.#step.kind !== "placing") return;
      if (outcome.kind === "done") return this.#stands(attempt);
      const reason = reasonOf(outcome);
      if (
        outcome.kind === "refused" &&
        again &&
        (outcome.consequence === "reduce-only" || outcome.consequence === "invalid")
      ) {
        // A close-position order is refused where nothing is held: the other kind of stop proves the same path.
        const quantity = quantityText(instrument, instrument.minLots);
        const reduce = hedge ? {} : { reduceOnly: true };
        void gateway
          .placeAlgoOrder({ ...closing, ...side, quantity, ...reduce }, "routine")
          .then((second) => placed(second, false));
        return;
      }
      if (outcome.kind === "unknown") return;
      const onlyFlat = outcome.kind === "refused" && outcome.consequence === "reduce-only";
      // Stops of positions have proven the path since; only a real failure says otherwise.
      if (onlyFlat && this.#proven) return this.#succeeded(attempt);
      this.#failed(attempt, `the probe was not taken: ${reason}`, onlyFlat);
    };
    void gateway
      .placeAlgoOrder({ ...closing, ...side, closePosition: true }, "routine")
      .then((outcome) => placed(outcome, true));
    schedule.at(clock() + times.bound, () => {
      if (attempt !== this.#attempt || this.#step.kind !== "placing") return;
      // Its fate is not known: it is cancelled in any case, and a stranger of our prefix is swept later.
      void gateway.cancelAlgoOrder({ symbol, clientId }, "protect");
      this.#failed(attempt, "the probe was not acknowledged in time");
    });
  }

  /** A stop of a position was acknowledged: no probe could prove more. */
  stopStands(): void {
    if (this.#proven) return;
    this.#proven = true;
    this.#failures = 0;
    this.#options.judged(undefined, "none");
  }

  /** What the account stream says of a probe. */
  event(event: AlgoUpdate): void {
    const step = this.#step;
    if (step.kind === "idle" || step.clientId !== event.clientId) return;
    if (event.status === "NEW") this.#stands(this.#attempt);
    else if (event.status === "CANCELED" && step.kind === "cancelling") this.#succeeded(this.#attempt);
    else if (event.status !== "TRIGGERING")
      this.#failed(this.#attempt, `the probe ended as ${event.status} ${event.reason}`);
  }

  #stands(attempt: number): void {
    const step = this.#step;
    if (attempt !== this.#attempt || step.kind !== "placing") return;
    const { clientId, symbol } = step;
    const { gateway, clock, schedule, times } = this.#options;
    this.#step = { kind: "cancelling", clientId, symbol };
    const deadline = clock() + times.bound;
    const cancel = () => {
      void gateway.cancelAlgoOrder({ symbol, clientId }, "protect").then(() => {
        schedule.at(clock() + times.bound / 10, look);
      });
    };
    const look = () => {
      if (attempt !== this.#attempt || this.#step.kind !== "cancelling") return;
      void gateway.queryAlgoOrder({ symbol, clientId }, "routine").then((outcome) => {
        if (attempt !== this.#attempt || this.#step.kind !== "cancelling") return;
        const gone =
          (outcome.kind === "done" && outcome.value.status === "CANCELED") ||
          (outcome.kind === "refused" && outcome.consequence === "not-found");
        if (gone) return this.#succeeded(attempt);
        if (clock() >= deadline) return this.#failed(attempt, "the probe could not be cancelled");
        schedule.at(clock() + times.bound / 10, cancel);
      });
    };
    cancel();
  }

  #succeeded(attempt: number): void {
    if (attempt !== this.#attempt) return;
    this.#attempt++;
    this.#step = { kind: "idle" };
    this.#failures = 0;
    if (!this.#proven) this.#options.notice("info", "the stop path is proven: a probe was placed and cancelled");
    this.#proven = true;
    this.#options.judged(undefined, "none");
    this.#again(this.#options.times.interval);
  }

  /** @param onlyFlat the exchange takes no closing order while nothing is held: that says nothing about stops */
  #failed(attempt: number, problem: string, onlyFlat = false): void {
    if (attempt !== this.#attempt) return;
    this.#attempt++;
    this.#step = { kind: "idle" };
    this.#failures++;
    if (!this.#proven || this.#failures >= 2) {
      if (this.#proven) this.#options.notice("alarm", `the stop path is not proven any more: ${problem}`);
      this.#proven = false;
      this.#options.judged(`the stop path is not proven: ${problem}`, onlyFlat ? "smallest" : "none");
    }
    this.#again(this.#options.times.retry);
  }

  #again(delay: number): void {
    const { schedule, clock } = this.#options;
    schedule.at(clock() + delay, () => this.begin());
  }
}

function reasonOf(outcome: Exclude<Outcome<unknown>, { kind: "done" }>): string {
  return outcome.kind === "refused" ? `${outcome.code} ${outcome.message}` : outcome.reason;
}
