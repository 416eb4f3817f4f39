import { moneyText, quantityText, shortDecimal } from "./decimals.ts";
import type { Door } from "./door.ts";
import { type Fault, type FaultScript, type RandomFaultOptions, randomFaults, readScript } from "./faults.ts";
import type { Lockstep } from "./lockstep.ts";
import { queriedAlgoJson, queriedJson } from "./order-records.ts";
import type { Pace } from "./pace.ts";
import { Parameters } from "./parameters.ts";
import type { Venue } from "./venue.ts";
import { type Json, WireError } from "./wire.ts";

/** What the control port moves. One of the two is there: a market that waits, or one that runs. */
export interface Controlled {
  readonly venue: Venue;
  readonly door: Door;
  readonly lockstep?: Lockstep;
  readonly pace?: Pace;
}

/** The venue's own truth, in exact numbers: what a client must believe in the end. */
export function stateJson({ venue, lockstep, pace }: Controlled): Json {
  const { exchange, trading } = venue;
  const { account, instruments } = exchange;
  return {
    time: venue.time,
    ended: venue.ended,
    ...(lockstep === undefined ? {} : { lockstep: { ...lockstep.state } }),
    ...(pace === undefined ? {} : { speed: pace.speed === Number.POSITIVE_INFINITY ? "max" : pace.speed }),
    positionMode: account.hedge ? "hedge" : "one-way",
    marginMode: account.cross ? "cross" : "isolated",
    wallet: moneyText(exchange.wallet),
    available: moneyText(exchange.available),
    insuranceFund: moneyText(exchange.insuranceFund),
    positions: account.positions.flatMap(({ lots, cost, margin }, slot) => {
      if (lots === 0) return [];
      const instrument = instruments[account.symbolOf(slot)]!;
      return [
        {
          symbol: instrument.symbol,
          positionSide: account.legOf(slot).toUpperCase(),
          lots,
          quantity: quantityText(instrument, lots),
          cost: shortDecimal(cost, 8),
          margin: shortDecimal(margin, 8),
        },
      ];
    }),
    openOrders: [...trading.openOrders].map(queriedJson),
    openAlgoOrders: [...trading.openAlgos].map(queriedAlgoJson),
    connections: [...venue.hub.connections].map(({ category, combined, streams }) => ({
      category,
      combined,
      streams: [...streams],
    })),
  };
}

/** Answers a request to the control port. @throws WireError */
export function control(parts: Controlled, method: string, path: string, body: string): Json {
  const { door, lockstep, pace } = parts;
  const parameters = Parameters.ofObject(body === "" ? {} : parse(body));
  switch (`${method} ${path}`) {
    case "GET /state":
      return stateJson(parts);
    case "POST /ack":
      if (lockstep === undefined) throw notLockstep();
      return { ...lockstep.acknowledge(parameters.whole("step") ?? -1, parameters.whole("until")) };
    case "POST /step":
      if (lockstep === undefined) throw notLockstep();
      return { ...lockstep.toNextClose() };
    case "POST /speed": {
      if (pace === undefined) throw new WireError(-1, "this market waits for acknowledgements and has no speed");
      const speed = Number(
        parameters.required("speed") === "max" ? Number.POSITIVE_INFINITY : parameters.text("speed"),
      );
      if (!(speed >= 0)) throw new WireError(-1, "speed: a number from 0 (paused), or max");
      pace.speed = speed;
      return { speed: String(speed) };
    }
    case "GET /faults":
      return faultsJson(door);
    case "POST /faults":
      door.start(scriptOf(body));
      return faultsJson(door);
    case "DELETE /faults":
      door.clear();
      return faultsJson(door);
    default:
      throw new WireError(-5000, `Path ${path}, Method ${method} is invalid`, 404);
  }
}

function faultsJson(door: Door): Json {
  return {
    faults: door.faults.map((fault: Fault) => ({ ...fault })),
    strikes: Object.fromEntries(door.strikes),
  };
}

/** A script as it stands, or one out of a seed: `{"seed": 7, "duration": 60000, "count": 20}`. */
function scriptOf(body: string): FaultScript {
  const json = parse(body) as Record<string, unknown>;
  try {
    if (json !== null && typeof json === "object" && !("faults" in json) && "seed" in json) {
      const { seed, duration = 60_000, count = 10, kinds, clock } = json as unknown as SeededScript;
      return readScript(
        randomFaults(seed, { duration, count, ...(kinds ? { kinds } : {}), ...(clock ? { clock } : {}) }),
      );
    }
    return readScript(json);
  } catch (error) {
    if (error instanceof RangeError) throw new WireError(-1, error.message);
    throw error;
  }
}

interface SeededScript extends Partial<RandomFaultOptions> {
  readonly seed: number;
}

function notLockstep(): WireError {
  return new WireError(-1, "this market runs by itself: start it with --lockstep to step it");
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new WireError(-1, `the body is not JSON: ${(error as Error).message}`);
  }
}

export interface ControlPort {
  readonly port: number;
  stop(): Promise<void>;
}

/** Opens the control port on loopback: never the public one. */
export function listenControl(parts: Controlled, port: number): ControlPort {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      try {
        return jsonResponse(control(parts, request.method, pathname, await request.text()), 200);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        return jsonResponse({ code: error.code, msg: error.message }, error.status);
      }
    },
  });
  return { port: server.port!, stop: () => server.stop(true) };
}

function jsonResponse(json: Json, status: number): Response {
  return new Response(JSON.stringify(json), { status, headers: { "content-type": "application/json" } });
}
