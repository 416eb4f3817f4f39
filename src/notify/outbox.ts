import type { DaySummary, Report } from "./report.ts";

/** One message to people: some lines, a day, or both. */
export interface Message {
  readonly text: string;
  readonly day?: DaySummary;
}

/** `later`: nobody was reached, it may be tried again. `refused`: it will never be taken. */
export type Sent = "sent" | "later" | "refused";

export interface OutboxOptions {
  readonly post: (message: Message) => Promise<Sent>;
  /** Time between two messages, in which lines gather, ms. */
  readonly gap: number;
  /** Time after which a message that reached nobody is tried again, ms. */
  readonly retry: number;
}

type Line = Extract<Report, { kind: "line" }>;

/** Characters of a message; Discord takes 2000. */
const MESSAGE_MAX = 1900;
/** Lines that may wait. */
const LINES_MAX = 60;
const LINE_MAX = 600;

/**
 * Reports on their way to people, seldom enough for both: lines gather between two messages, an alarm waits for none of
 * it, and where there are too many the routine ones are counted instead of said. Nothing waits for it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #lines: Line[] = [];
  #left = 0;
  #day: DaySummary | undefined;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #draining = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  add(report: Report): void {
    if (report.kind === "day") this.#day = report.summary;
    else this.#lines.push(report);
    this.#bound();
    if (report.kind === "line" && report.weight === "alarm") this.#wake?.();
    this.#running ??= this.#run();
  }

  /** Sends what is there without further waiting. Resolves when all is sent, or when one message reached nobody. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#wake?.();
    await this.#running;
  }

  #bound(): void {
    while (this.#lines.length > LINES_MAX) {
      const routine = this.#lines.findIndex(({ weight }) => weight === "routine");
      this.#lines.splice(routine < 0 ? 0 : routine, 1);
      this.#left += 1;
    }
  }

  async #run(): Promise<void> {
    const { post, gap, retry } = this.#options;
    while (this.#lines.length > 0 || this.#day !== undefined) {
      const { message, lines } = this.#take();
      const sent = await post(message);
      if (sent === "later") {
        this.#lines.unshift(...lines);
        this.#day ??= message.day;
        this.#bound();
        if (this.#draining) break;
      }
      if (!this.#draining) await this.#pause(sent === "later" ? retry : gap);
    }
    this.#running = undefined;
  }

  #take(): { message: Message; lines: Line[] } {
    const lines: Line[] = [];
    let text = "";
    for (;;) {
      const next = this.#lines[0];
      if (next === undefined) break;
      const line = `${next.weight === "alarm" ? "**ALARM** " : ""}${next.text.slice(0, LINE_MAX)}\n`;
      if (text.length + line.length > MESSAGE_MAX) break;
      text += line;
      lines.push(next);
      this.#lines.shift();
    }
    if (this.#left > 0 && this.#lines.length === 0) {
      text += `(${this.#left} more were left out)\n`;
      this.#left = 0;
    }
    const day = this.#day;
    this.#day = undefined;
    return { message: { text: text.trimEnd(), ...(day === undefined ? {} : { day }) }, lines };
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
