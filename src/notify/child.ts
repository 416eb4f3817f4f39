import { createInterface } from "node:readline";
import { openDiscord } from "./discord.ts";
import { Outbox } from "./outbox.ts";
import type { ToNotifier } from "./report.ts";

/** Between two messages, and before one that reached nobody is tried again, ms. */
const GAP_MS = 2000;
const RETRY_MS = 30_000;
/** How long the last words may take, ms. */
const LAST_WORDS_MS = 15_000;

/**
 * The process that reports to people. It is one of its own because its most important report is that the other one has
 * died, whatever killed it: its standard input ends then, without a goodbye.
 */
export async function runNotifier(): Promise<void> {
  // Whoever ends the trader often ends its whole group: there is still something to be said.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const say = (text: string) => process.stderr.write(`penstock: ${text}\n`);
  let outbox: Outbox | undefined;
  let name = "penstock";
  let farewell = false;
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line) as ToNotifier;
    if (message.kind === "start") {
      name = message.start.name;
      outbox = new Outbox({ post: openDiscord(message.start, say), gap: GAP_MS, retry: RETRY_MS });
    } else if (message.kind === "report") {
      outbox?.add(message.report);
    } else {
      farewell = true;
      outbox?.add({ kind: "line", weight: "important", text: message.text });
    }
  }
  if (!farewell) {
    const text = `${name} has died without a word. Its positions are where they were; look at the exchange and the log.`;
    outbox?.add({ kind: "line", weight: "alarm", text });
  }
  await Promise.race([outbox?.drain(), Bun.sleep(LAST_WORDS_MS)]);
  process.exit(0);
}
