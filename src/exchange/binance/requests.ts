import type { ApiBreaker } from "./api-breaker.ts";
import { failureOf } from "./errors.ts";
import { ShapeError } from "./fields.ts";
import type { Gate } from "./gate.ts";
import type { Outcome, Urgency } from "./gateway.ts";
import type { Cost, RateBudget } from "./rate-budget.ts";
import { errorIn, type Reply } from "./reply.ts";

export interface RequestsOptions {
  readonly gate: Gate;
  readonly budget: RateBudget;
  readonly breaker: ApiBreaker;
  /** The exchange's time, ms. */
  readonly now: () => number;
  /** Measures the clock anew; resolves when it is done or has failed. */
  readonly measureClock: () => Promise<void>;
  /** The exchange wants to hear nothing until then. */
  readonly onBan: (until: number) => void;
  /** The exchange does not serve this place. */
  readonly onForbidden: (message: string) => void;
  /** How a request ended. */
  readonly onOutcome?: (kind: Outcome<unknown>["kind"]) => void;
}

export type Judging = "judged" | "unjudged";

/** When what could not be sent may be tried again, ms. */
const UNSENT_PAUSE = 1_000;

/**
 * Turns a request into its outcome: leave to go, one sending, and what the answer means for budget, breaker and clock.
 * Never sends twice, but for one case: a refused timestamp, with which nothing was carried out.
 */
export class Requests {
  readonly #options: RequestsOptions;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /**
   * @param send makes the request anew, timestamp and signature included, and hands it over before it returns
   * @param judging whether the breaker hears how it ended
   * @param read makes the value of the body of a success; throws a `ShapeError` for one that it cannot read
   */
  async perform<T>(
    cost: Cost,
    urgency: Urgency,
    send: () => Promise<Reply>,
    read: (body: unknown) => T,
    judging: Judging = "judged",
  ): Promise<Outcome<T>> {
    let outcome = await this.#once(cost, urgency, send, read, judging);
    if (outcome.kind === "refused" && outcome.consequence === "clock") {
      await this.#options.measureClock();
      outcome = await this.#once(cost, urgency, send, read, judging);
    }
    this.#options.onOutcome?.(outcome.kind);
    return outcome;
  }

  async #once<T>(
    cost: Cost,
    urgency: Urgency,
    send: () => Promise<Reply>,
    read: (body: unknown) => T,
    judging: Judging,
  ): Promise<Outcome<T>> {
    const { gate, budget, now } = this.#options;
    // An await costs a turn of the loop even when there is nothing to wait for, and an order has none to lose.
    const asked = gate.pass(cost, urgency);
    const leave = asked instanceof Promise ? await asked : asked;
    if (leave.kind === "withheld") return leave;
    const reply = await send();
    switch (reply.kind) {
      case "unsent":
        this.#judge(judging, false);
        return { kind: "withheld", reason: reply.reason, retryAt: now() + UNSENT_PAUSE };
      case "forbidden":
        return { kind: "withheld", reason: reply.reason, retryAt: now() + UNSENT_PAUSE };
      case "unknown":
        this.#judge(judging, false);
        return reply;
      case "answer":
        budget.observe(reply.usage, now());
        break;
    }
    const { status, body, retryAfter } = reply;
    if (status >= 200 && status < 300) {
      this.#judge(judging, true);
      return readOutcome(body, read);
    }
    const answer = { status, ...errorIn(body) };
    if (status === 403 || status === 418 || status === 429) {
      budget.stop({ ...answer, retryAfter }, now());
      if (budget.closedUntil > now()) this.#options.onBan(budget.closedUntil);
    }
    if (status === 451) this.#options.onForbidden(answer.message);
    const failure = failureOf(answer);
    this.#judge(judging, failure.kind === "refused");
    return failure;
  }

  #judge(judging: Judging, isAnswered: boolean): void {
    if (judging === "unjudged") return;
    if (isAnswered) this.#options.breaker.succeeded();
    else this.#options.breaker.failed(this.#options.now());
  }
}

/** A success that cannot be read happened all the same: what it was is unknown. */
function readOutcome<T>(body: unknown, read: (body: unknown) => T): Outcome<T> {
  try {
    return { kind: "done", value: read(body) };
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    return { kind: "unknown", reason: `an answer that cannot be read: ${error.message}` };
  }
}
