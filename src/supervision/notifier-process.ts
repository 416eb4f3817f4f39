import type { NotifierStart, Report, ToNotifier } from "../notify/report.ts";

/** A process that has died is replaced, but not more often than this, ms. */
const RESPAWN_MS = 60_000;

/** What of the environment it needs: to find its way into the network. Nothing secret is in there. */
const ENVIRONMENT = ["PATH", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS"] as const;

/** The supervisor's end of the process that reports (src/notify/child.ts). Nothing here waits for it. */
export class NotifierProcess {
  readonly #command: readonly string[];
  readonly #start: NotifierStart;
  readonly #onProblem: (text: string) => void;
  #child: Bun.Subprocess<"pipe", "ignore", "inherit"> | undefined;
  #spawned = Number.NEGATIVE_INFINITY;
  #ending = false;

  constructor(command: readonly string[], start: NotifierStart, onProblem: (text: string) => void) {
    this.#command = command;
    this.#start = start;
    this.#onProblem = onProblem;
    this.#spawn();
  }

  report(report: Report): void {
    if (this.#child === undefined && performance.now() - this.#spawned >= RESPAWN_MS) this.#spawn();
    this.#send({ kind: "report", report });
  }

  /** Says the last words and waits for them to be sent, at most so long, ms. The process may go on trying after that. */
  async goodbye(text: string, patience: number): Promise<void> {
    this.#ending = true;
    const child = this.#child;
    if (child === undefined) return;
    this.#send({ kind: "goodbye", text });
    const ended = Promise.resolve(child.stdin.end()).then(() => child.exited);
    const { promise: tired, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patience);
    await Promise.race([ended.catch(() => {}), tired]);
    // A timer that is left behind would keep this process alive until then.
    clearTimeout(timer);
    child.unref();
  }

  #spawn(): void {
    this.#spawned = performance.now();
    const known = ENVIRONMENT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
    const child = Bun.spawn([...this.#command], {
      env: Object.fromEntries(known),
      stdin: "pipe",
      stdout: "ignore",
      stderr: "inherit",
    });
    this.#child = child;
    void child.exited.then((code) => {
      if (this.#child === child) this.#child = undefined;
      if (!this.#ending) this.#onProblem(`the process that reports ended with code ${code}`);
    });
    this.#send({ kind: "start", start: this.#start });
  }

  #send(message: ToNotifier): void {
    const child = this.#child;
    if (child === undefined) return;
    // It may have died a moment ago, which its end tells: that it hears nothing is no news.
    const deaf = () => {};
    try {
      Promise.resolve(child.stdin.write(`${JSON.stringify(message)}\n`)).catch(deaf);
      Promise.resolve(child.stdin.flush()).catch(deaf);
    } catch {
      deaf();
    }
  }
}
