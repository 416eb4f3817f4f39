import { MOST_GENERATED } from "../src/market/generated-market.ts";
import { type Campaign, type CampaignOptions, parseOptions } from "./campaign/campaign.ts";
import { exchange } from "./campaign/exchange.ts";
import { foreign } from "./campaign/foreign.ts";
import { kill } from "./campaign/kill.ts";
import { klines } from "./campaign/klines.ts";
import { learning } from "./campaign/learning.ts";
import { restart } from "./campaign/restart.ts";
import { simulation } from "./campaign/simulation.ts";
import { soak } from "./campaign/soak.ts";
import { store } from "./campaign/store.ts";

/** Long searches for trouble by name; the first one is meant when none is named. Adding one is a file and a line here. */
const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  simulation,
  soak,
  restart,
  exchange,
  foreign,
  kill,
  klines,
  learning,
  store,
};

const HELP = `usage: bun run campaign [NAME] [--seeds N | --kills N] [--from N] [--sockets] [--json]

Searches for trouble for longer than the tests do. Stops at the first violation with exit code 1.

${Object.entries(CAMPAIGNS)
  .map(([name, { help }]) => `  ${name.padEnd(12)} ${help}`)
  .join("\n")}

  --seeds N    how many seeds (default 1000)
  --kills N    store: goes on until so many services were killed
  --from N     the first seed (default 0)
  --sockets    over real sockets (exchange only)
  --seed N     the same
  --hours H, --speed 60x, --symbols N
               how long, how fast and how wide a soak is (1, 60x, 24; up to ${MOST_GENERATED} symbols)
  --json       print the totals as one JSON object on standard output, and nothing else there
  --help       show this`;

async function run(words: readonly string[]): Promise<number> {
  if (words.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const [name = "simulation", rest] = words[0]?.startsWith("--") ? [undefined, words] : [words[0], words.slice(1)];
  const campaign = CAMPAIGNS[name];
  let options: CampaignOptions;
  try {
    if (campaign === undefined)
      throw new RangeError(`there is no campaign "${name}"; there are: ${Object.keys(CAMPAIGNS).join(", ")}`);
    options = parseOptions(rest);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(`campaign: ${error.message}`);
    return 2;
  }
  const { totals, table, trouble } = await campaign.run(options, progress);
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  if (table !== undefined) console.error(table);
  if (trouble !== undefined) console.error(trouble);
  if (options.json) console.log(JSON.stringify({ campaign: name, ...totals }));
  else
    console.log(
      Object.entries(totals)
        .map(([what, count]) => `${what} ${count}`)
        .join(", "),
    );
  return trouble === undefined ? 0 : 1;
}

let shown = 0;
/** A line that is rewritten on a terminal, and now and then a line elsewhere. */
function progress(text: string): void {
  const now = performance.now();
  const terminal = process.stderr.isTTY;
  if (now - shown < (terminal ? 200 : 10_000)) return;
  shown = now;
  process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`);
}

process.exitCode = await run(process.argv.slice(2));
