/**
 * What a checkpoint costs the trading thread, and what it spares a restart: a book of 200 symbols with N virtual
 * positions, 2,000 orders and 25,000 trades that were told. The book that comes back must be the one that was written.
 *
 *   bun bench/service/checkpoint.ts [positions=10000] [minutes=120]
 */
import { loadSettings } from "../../src/config/load.ts";
import type { Effect, OrderRequest } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { USDT } from "../../src/core/instrument.ts";
import { step } from "../../src/core/step.ts";
import { type BookImage, LiveBook } from "../../src/exchange/binance/book.ts";
import { Recovery } from "../../src/exchange/binance/recovered.ts";
import { decodeImage, encodeImage } from "../../src/journal/image.ts";
import { newState } from "../../src/service/assembly.ts";

const SYMBOLS = 200;
const POSITIONS = Number(process.argv[2] ?? 10_000);
const MINUTES = Number(process.argv[3] ?? 120);
const START = Date.UTC(2026, 0, 5);
const MINUTE = 60_000;
const RUNS = 15;

const instruments = Array.from({ length: SYMBOLS }, (_, index) => ({
  symbol: `S${String(index).padStart(3, "0")}USDT`,
  tickUnits: 1,
  priceDecimals: 2,
  lotUnits: 1,
  quantityDecimals: 3,
  unitValue: 1000,
  minLots: 1,
  maxLots: 1_000_000,
  minNotional: 5 * USDT,
  maxLeverage: 20,
}));
const { settings } = loadSettings({}, []);
const empty = () => newState(settings, instruments, START);
const recovery = () => new Recovery(instruments, false);

/** Processor time of this process, ns: who else runs on the machine is none of its cost. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

const book = new LiveBook(empty(), recovery());
book.begins(1);
for (let i = 0; i < POSITIONS; i++) {
  const candidate = {
    symbol: i % SYMBOLS,
    strategy: "bench",
    setup: `setup-${Math.floor(i / SYMBOLS)}`,
    direction: 1 as const,
    entry: 100_000,
    stop: 50_000,
    target: 200_000,
    confidence: 0.5,
    scores: { some: 0.5, other: 0.25 },
    reasons: ["because"],
  };
  book.state.virtual.signal(candidate, START);
}
const request = (id: number): OrderRequest => ({
  id,
  symbol: id % SYMBOLS,
  leg: "both",
  side: 1,
  type: "market",
  purpose: "entry",
  lots: 10,
  price: 0,
  trigger: 0,
  timeInForce: "ioc",
  reduceOnly: false,
  closePosition: false,
  leverage: 3,
});
for (let id = 1; id <= 2000; id++) {
  const order = request(id);
  book.stepped({ kind: "timer", time: START, symbol: -1, timer: "bench" }, [{ kind: "submit", order }]);
  for (let trade = 0; trade < 12; trade++) {
    const fill = { kind: "fill", time: START, symbol: order.symbol, order: id, trade: `${id}${trade}` } as const;
    book.stepped({ ...fill, lots: 1, price: 100_000, fee: 1, maker: false, done: trade === 11 }, []);
  }
}

/** A minute as the core sees it: a mark of each symbol each second, and its bar. */
function* minute(number: number): Generator<Event> {
  for (let second = 0; second < 60; second++) {
    const time = START + number * MINUTE + second * 1000;
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      yield { kind: "mark", time, symbol, price: 100_000 + ((second + symbol + number) % 100) };
    }
  }
  const time = START + (number + 1) * MINUTE;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    const prices = { open: 100_000, high: 100_100, low: 99_900, close: 100_050 };
    yield { kind: "bar", time, symbol, ...prices, volume: 10, flat: false };
  }
}

const effects: Effect[] = [];
let events = 0;
const begun = cpu();
for (let number = 0; number < MINUTES; number++) {
  for (const event of minute(number)) {
    effects.length = 0;
    step(book.state, event, effects);
    book.stepped(event, effects);
    events++;
  }
}
const replayed = (cpu() - begun) / events;

const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]! / 1e6;
const written: number[] = [];
const read: number[] = [];
let bytes = new Uint8Array();
for (let run = 0; run < RUNS; run++) {
  const start = cpu();
  bytes = encodeImage(book.image());
  written.push(cpu() - start);
  const back = cpu();
  const restored = LiveBook.restored(empty(), recovery(), decodeImage(bytes) as BookImage);
  read.push(cpu() - back);
  if (!Buffer.from(encodeImage(restored.image())).equals(bytes)) throw new Error("it is another book");
}
const rate = (MINUTES * 60_000) / ((replayed * events) / 1e6);
console.log(
  `image of ${POSITIONS} virtual positions: ${(bytes.length / 1e6).toFixed(1)} MB, written in ${median(written).toFixed(1)} ms, ` +
    `read in ${median(read).toFixed(1)} ms\n` +
    `replay of marks and bars of ${SYMBOLS} symbols: ${replayed.toFixed(0)} ns per event, a week in ${((7 * 86_400) / rate).toFixed(0)} s`,
);

// What the book costs for following each event, against a step without it.
const plain = empty();
const alone: number[] = [];
const followed: number[] = [];
const follower = new LiveBook(empty(), recovery());
for (let number = 0; number < 20; number++) {
  const all = [...minute(number)];
  const time = (work: (event: Event) => void, into: number[]) => {
    const start = cpu();
    for (const event of all) work(event);
    into.push(((cpu() - start) * 1e6) / all.length);
  };
  time((event) => {
    effects.length = 0;
    step(plain, event, effects);
  }, alone);
  time((event) => {
    effects.length = 0;
    step(follower.state, event, effects);
    follower.stepped(event, effects);
  }, followed);
}
console.log(`an event: ${median(alone).toFixed(0)} ns, followed by the book ${median(followed).toFixed(0)} ns`);
