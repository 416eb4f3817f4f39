/** A long search for trouble. */
export interface Campaign {
  /** One line for `--help`. */
  readonly help: string;
  run(options: CampaignOptions, progress: (text: string) => void): CampaignResult | Promise<CampaignResult>;
}

export interface CampaignOptions {
  readonly seeds: number;
  /** Goes on until so many processes were killed, however many seeds that takes; undefined: as many seeds as said. */
  readonly kills?: number;
  readonly from: number;
  readonly json: boolean;
  /** Over real sockets, where a campaign can be had both ways. */
  readonly sockets: boolean;
  /** Of a soak: simulated hours, market ms per wall ms, symbols. */
  readonly hours: number;
  readonly speed: number;
  readonly symbols: number;
}

export interface CampaignResult {
  /** Counts by name, in the order in which they are printed. */
  readonly totals: Readonly<Record<string, number>>;
  /** Figures that need more than a line, for people. */
  readonly table?: string;
  /** What was found, in words that let anyone find it again; undefined when nothing was. */
  readonly trouble: string | undefined;
}

/** @throws RangeError for anything that is not an option, or a value out of range. */
export function parseOptions(words: readonly string[]): CampaignOptions {
  const options: { -readonly [Name in keyof CampaignOptions]: CampaignOptions[Name] } = {
    seeds: 1000,
    from: 0,
    json: false,
    sockets: false,
    hours: 1,
    speed: 60,
    symbols: 24,
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--json") options.json = true;
    else if (word === "--sockets") options.sockets = true;
    else if (word === "--hours") options.hours = positive(word, words[++i]);
    else if (word === "--speed") options.speed = whole(word, words[++i]?.replace(/x$/, ""), 1);
    else if (word === "--symbols") options.symbols = whole(word, words[++i], 1);
    else if (word === "--seeds") options.seeds = whole(word, words[++i], 1);
    else if (word === "--kills") options.kills = whole(word, words[++i], 1);
    else if (word === "--from" || word === "--seed") options.from = whole(word, words[++i], 0);
    else throw new RangeError(`${word} is not an option; see --help`);
  }
  return options;
}

function positive(option: string, text: string | undefined): number {
  const value = Number(text);
  if (text === undefined || !(value > 0 && value <= 1000)) {
    throw new RangeError(`${option} is ${text ?? "empty"}; allowed is a number above 0, up to 1000`);
  }
  return value;
}

function whole(option: string, text: string | undefined, least: number): number {
  const value = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || value < least || value >= 2 ** 32) {
    throw new RangeError(`${option} is ${text ?? "empty"}; allowed is a whole number from ${least} to ${2 ** 32 - 1}`);
  }
  return value;
}
