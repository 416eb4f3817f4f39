/** How often the line is drawn again, ms. */
const REDRAW = 100;
const WIDTH = 30;

/**
 * A progress bar on one line of standard error. Where that is no terminal nothing is drawn: logs need no bars.
 */
export class Progress {
  readonly #shown = process.stderr.isTTY === true;
  readonly #begun = performance.now();
  #drawn = 0;

  /** Draws the share (0 to 1) of what is going on. */
  show(what: string, share: number): void {
    const now = performance.now();
    if (!this.#shown || now - this.#drawn < REDRAW) return;
    this.#drawn = now;
    const within = share < 0 ? 0 : share > 1 ? 1 : share;
    const full = Math.round(within * WIDTH);
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    const seconds = ((now - this.#begun) / 1000).toFixed(1);
    process.stderr.write(
      `\r\x1b[K${what.padEnd(8)} ${bar} ${String(Math.floor(within * 100)).padStart(3)} %  ${seconds} s`,
    );
  }

  /** Clears the line, once: later the place of the cursor belongs to someone else. */
  end(): void {
    if (!this.#shown || this.#drawn === 0) return;
    this.#drawn = 0;
    process.stderr.write("\r\x1b[K");
  }
}
