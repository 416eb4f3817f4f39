import { brailleChart } from "../report/chart.ts";
import { grouped } from "../report/print.ts";

/** What the live view shows, in words and plain numbers. Money in USDT. */
export interface LiveFacts {
  readonly title: string;
  readonly stamp: string;
  readonly marketTime: string;
  readonly trading: string;
  /** How far the loop is behind its clock, in words; empty when it keeps up. */
  readonly behind: string;
  /** What is wrong with the store or the right to trade, in words; empty when nothing is. */
  readonly store: string;
  readonly equity: number;
  readonly startEquity: number;
  readonly unrealised: number;
  /** Of the equity, 0 to 1. */
  readonly margin: number;
  readonly trades: number;
  readonly won: number;
  /** What every signal would have come to, results in R. */
  readonly virtual: { readonly live: number; readonly closed: number; readonly won: number; readonly average: number };
  readonly curve: readonly { readonly time: number; readonly value: number }[];
  readonly positions: readonly LivePosition[];
  /** The newest first, like the trades. */
  readonly signals: readonly LiveSignal[];
  readonly closed: readonly LiveTrade[];
  readonly refusals: readonly (readonly [guard: string, count: number])[];
  readonly notices: readonly string[];
}

export interface LivePosition {
  readonly symbol: string;
  readonly side: string;
  readonly leverage: number;
  readonly entry: string;
  readonly mark: string;
  readonly stop: string;
  readonly target: string;
  /** Where the mark is between stop (0) and target (1); may lie outside. */
  readonly progress: number;
  /** Where the entry is between them. */
  readonly start: number;
  readonly unrealised: number;
  readonly age: string;
}

export interface LiveSignal {
  readonly time: string;
  readonly symbol: string;
  readonly side: string;
  readonly setup: string;
  readonly confidence: number;
  readonly outcome: string;
  readonly reasons: string;
}

export interface LiveTrade {
  readonly time: string;
  readonly symbol: string;
  readonly side: string;
  readonly reason: string;
  readonly pnl: number;
}

export type Tone = "plain" | "bold" | "dim" | "good" | "bad" | "warn" | "stamp" | "line";

/** A piece of a line in one colour. Lines are cut while they are plain text, so no escape can be cut in two. */
type Piece = readonly [text: string, tone?: Tone | undefined];
type Line = readonly Piece[];

const CODES: Readonly<Record<Tone, string>> = {
  plain: "",
  bold: "1",
  dim: "2",
  good: "32",
  bad: "31",
  warn: "33",
  stamp: "30;43",
  line: "36",
};

/** From this width on the frame has two columns. */
const TWO_COLUMNS = 140;
/** Signals of earlier hours are of no use to anyone, however large the terminal. */
const GUTTER = 3;

/**
 * One frame of the live view: never more than `height` lines of `width` columns, whatever there is to show. What there
 * is no room for is left out, the least urgent first.
 */
export function liveFrame(facts: LiveFacts, page: { width: number; height: number; colour: boolean }): string[] {
  const { width, height, colour } = page;
  const inner = width - 4;
  const chartRows = height < 16 ? 0 : height < 30 ? 3 : height < 45 ? 5 : 7;
  const virtual = height < 16 ? [] : [virtualLine(facts)];
  const head: Line[] = [...headline(facts, inner), ...virtual, ...chart(facts, inner, chartRows)];
  const foot: Line[] = height < 10 ? [] : [[["Ctrl-C ends the run", "dim"]]];
  const room = height - head.length - foot.length;
  const sections = [positions(facts, inner), signals(facts), closed(facts), guards(facts), notices(facts)];
  const body = width < TWO_COLUMNS ? stacked(sections, room) : beside(sections, room, Math.floor((inner - GUTTER) / 2));
  const lines = [...head, ...body];
  while (foot.length > 0 && lines.length < height - foot.length) lines.push([]);
  return [...lines, ...foot].slice(0, height).map((line) => inked(line, inner, width, colour));
}

function headline(facts: LiveFacts, inner: number): Line[] {
  const change = facts.startEquity > 0 ? (facts.equity / facts.startEquity - 1) * 100 : 0;
  const state: Tone = facts.trading === "normal" ? "good" : "warn";
  const figures: Piece[] = [
    [`${grouped(facts.equity, 2)} USDT`, "bold"],
    ["  "],
    [`${signed(change)} %`, toneOf(change)],
    ["   unrealised ", "dim"],
    [signed(facts.unrealised), toneOf(facts.unrealised)],
    ["   margin ", "dim"],
    [`${(facts.margin * 100).toFixed(0)} %`],
    ["   trades ", "dim"],
    [`${facts.trades}${facts.trades > 0 ? `, ${facts.won} won` : ""}`],
  ];
  const late: Piece[] = facts.behind === "" ? [] : [[`  ${facts.behind} behind`, "warn"]];
  const store: Piece[] = facts.store === "" ? [] : [[`  ${facts.store}`, "warn"]];
  const clock: Piece[] = [[`${facts.marketTime} UTC`], ...late, ...store, ["  "], [facts.trading, state]];
  const name: Piece[] = [["Penstock", "bold"], [" "], [` ${facts.stamp} `, "stamp"], ["  "], [facts.title, "dim"]];
  return [spread(name, clock, inner), [], figures];
}

function virtualLine({ virtual: { live, closed, won, average } }: LiveFacts): Line {
  const line: Piece[] = [["virtual positions ", "dim"], [`${live} live, ${closed} closed`]];
  if (closed > 0) line.push([`, ${won} won`], ["   average ", "dim"], [`${signed(average)} R`, toneOf(average)]);
  return line;
}

/** The right part stays whole, the left one is cut where both do not fit. */
function spread(left: readonly Piece[], right: readonly Piece[], width: number): Line {
  const room = width - lengthOf(right) - 1;
  if (room < 10) return [...right];
  const fitted = cut(left, room);
  return [...fitted, [" ".repeat(room - lengthOf(fitted) + 1)], ...right];
}

function chart({ curve }: LiveFacts, inner: number, rows: number): Line[] {
  if (rows === 0) return [];
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { value } of curve) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const labels = curve.length > 0 ? [grouped(high, 0), grouped(low, 0)] : ["", ""];
  const margin = Math.max(...labels.map((label) => label.length)) + 1;
  const drawn = brailleChart(curve, Math.max(1, inner - margin), rows);
  return Array.from({ length: rows }, (_, row) => {
    const label = row === 0 ? labels[0]! : row === rows - 1 ? labels[1]! : "";
    return [
      [`${label.padStart(margin - 1)} `, "dim"],
      [drawn[row] ?? "", "line"],
    ];
  });
}

interface Section {
  readonly title: string;
  /** Each with its first line, and lines that explain it where there is room. */
  readonly items: readonly { readonly line: Line; readonly more?: Line }[];
  /** What stands beside the title when there are none; without it an empty section is left out. */
  readonly none?: string;
}

/** A gauge beside the prices needs this much room. */
const GAUGE_FROM = 74;

function positions({ positions: open, trades }: LiveFacts, inner: number): Section {
  const widest = (key: "symbol" | "entry" | "mark") => Math.max(0, ...open.map((position) => position[key].length));
  const [symbol, entry, mark] = [widest("symbol"), widest("entry"), widest("mark")];
  const items = open.map((position) => ({
    line: [
      [position.symbol.padEnd(symbol)],
      [` ${position.side.padEnd(5)} ${position.leverage}x `, "dim"],
      [`${position.entry.padStart(entry)} → ${position.mark.padStart(mark)} `],
      ...(inner >= GAUGE_FROM ? gauge(position) : []),
      [signed(position.unrealised).padStart(10), toneOf(position.unrealised)],
      [` ${position.age}`, "dim"],
    ] as Line,
    more: [[`  stop ${position.stop}, target ${position.target}`, "dim"]] as Line,
  }));
  return {
    title: `Positions${open.length > 0 ? ` ${open.length}` : ""}`,
    items,
    none: trades > 0 ? "none now" : "none yet",
  };
}

const GAUGE = 14;

/** The way from the stop to the target: where the position began, and where the price is now. */
function gauge({ progress, start }: LivePosition): Piece[] {
  const place = (share: number) => Math.max(0, Math.min(GAUGE - 1, Math.round(share * (GAUGE - 1))));
  const [now, begun] = [place(progress), place(start)];
  const cells = Array.from({ length: GAUGE }, (_, i) => (i === now ? "●" : i === begun ? "┼" : "─")).join("");
  return [
    ["├", "bad"],
    [cells.slice(0, now), "dim"],
    ["●", progress >= start ? "good" : "bad"],
    [cells.slice(now + 1), "dim"],
    ["┤", "good"],
  ];
}

function signals({ signals: seen }: LiveFacts): Section {
  const symbol = Math.max(0, ...seen.map((signal) => signal.symbol.length));
  const setup = Math.max(0, ...seen.map((signal) => signal.setup.length));
  const items = seen.map((signal) => {
    const tone: Tone = signal.outcome === "opened" ? "good" : signal.outcome.startsWith("refused") ? "warn" : "plain";
    const what = `${signal.symbol.padEnd(symbol)} ${signal.side.padEnd(5)} ${signal.setup.padEnd(setup)}`;
    return {
      line: [[`${signal.time} `, "dim"], [`${what} ${signal.confidence.toFixed(2)}  `], [signal.outcome, tone]] as Line,
      more: [[`      ${signal.reasons}`, "dim"]] as Line,
    };
  });
  return { title: "Last signals", items, none: "none yet" };
}

function closed({ closed: trades }: LiveFacts): Section {
  const symbol = Math.max(0, ...trades.map((trade) => trade.symbol.length));
  const items = trades.map((trade) => ({
    line: [
      [`${trade.time} `, "dim"],
      [`${trade.symbol.padEnd(symbol)} ${trade.side.padEnd(5)}`],
      [` ${signed(trade.pnl).padStart(10)}`, toneOf(trade.pnl)],
      [` ${trade.reason}`, "dim"],
    ] as Line,
  }));
  return { title: "Last trades", items, none: "none yet" };
}

function guards({ refusals }: LiveFacts): Section {
  const text = refusals.map(([guard, count]) => `${guard} ${count}`).join(" · ");
  return { title: "Guards that said no", items: text === "" ? [] : [{ line: [[text]] }], none: "none yet" };
}

function notices({ notices: texts }: LiveFacts): Section {
  return { title: "Notices", items: texts.map((text) => ({ line: [[text, "warn"]] as Line })) };
}

/**
 * Sections one below the other. Each gets its title and one item first, so that none pushes another out; then the
 * items take turns, and what is still left goes to explanations.
 */
function stacked(sections: readonly Section[], room: number): Line[] {
  const shown = sections.filter((section) => section.items.length > 0 || section.none !== undefined);
  const counts = shown.map(() => 0);
  const details = shown.map(() => 0);
  // A blank line before each title, while there is room for it.
  const gap = room >= shown.length * 4 ? 1 : 0;
  let left = room - shown.length * (1 + gap);
  for (let grown = true; grown && left > 0; ) {
    grown = false;
    shown.forEach((section, i) => {
      if (left <= 0 || counts[i]! >= section.items.length) return;
      counts[i]! += 1;
      left -= 1;
      grown = true;
    });
  }
  shown.forEach((section, i) => {
    const explained = section.items.slice(0, counts[i]).filter((item) => item.more !== undefined).length;
    details[i] = Math.min(explained, Math.max(0, left));
    left -= details[i]!;
  });
  return shown.flatMap((section, i) => {
    const hidden = section.items.length - counts[i]!;
    const title: Piece[] = [[section.title, "bold"]];
    if (section.items.length === 0) title.push([`  ${section.none}`, "dim"]);
    else if (hidden > 0) title.push([`  ${hidden} more`, "dim"]);
    const lines = section.items
      .slice(0, counts[i])
      .flatMap((item, n) => (item.more !== undefined && n < details[i]! ? [item.line, item.more] : [item.line]));
    return [...(gap === 1 ? [[]] : []), title, ...lines];
  });
}

/** Positions and trades on the left, signals and what stopped them on the right. */
function beside(sections: readonly Section[], room: number, width: number): Line[] {
  const [open, seen, trades, refused, noticed] = sections as [Section, Section, Section, Section, Section];
  const left = stacked([open, trades], room);
  const right = stacked([seen, refused, noticed], room);
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    const fitted = cut(left[i] ?? [], width);
    return [...fitted, [" ".repeat(width - lengthOf(fitted) + GUTTER)], ...cut(right[i] ?? [], width)];
  });
}

function lengthOf(line: Line): number {
  return line.reduce((length, [text]) => length + text.length, 0);
}

/** At most `width` characters; what is cut ends in an ellipsis. */
function cut(line: Line, width: number): Piece[] {
  if (lengthOf(line) <= width) return [...line];
  const fitted: Piece[] = [];
  let room = width - 1;
  for (const [text, tone] of line) {
    if (room <= 0) break;
    fitted.push([text.slice(0, room), tone]);
    room -= text.length;
  }
  return width > 0 ? [...fitted, ["…", fitted.at(-1)?.[1]]] : [];
}

function inked(line: Line, inner: number, width: number, colour: boolean): string {
  const margin = inner > 0 ? "  " : "";
  const fitted = cut(line, inner > 0 ? inner : width);
  const text = fitted.map(([piece, tone = "plain"]) =>
    colour && CODES[tone] !== "" && piece !== "" ? `\x1b[${CODES[tone]}m${piece}\x1b[0m` : piece,
  );
  return line.length === 0 ? "" : margin + text.join("");
}

function toneOf(value: number): Tone {
  if (value > 0) return "good";
  return value < 0 ? "bad" : "plain";
}

function signed(value: number): string {
  const text = grouped(value, 2);
  return text.startsWith("-") || !/[1-9]/.test(text) ? text : `+${text}`;
}
