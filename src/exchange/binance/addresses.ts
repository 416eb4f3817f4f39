import { InputError } from "../../input-error.ts";

/** Where the exchange is reached. No address ends with a slash. */
export interface Addresses {
  /** Requests: `…/fapi/v1/order` follows. */
  readonly rest: string;
  /** Streams: `/public`, `/market` and `/private` follow. */
  readonly streams: string;
  /** The WebSocket API, complete. */
  readonly socketApi: string;
  /** Where an account is asked about its keys; absent on test networks, which do not say. */
  readonly account?: string;
  /** Whether real money may be behind it: true for every host that is not known to be a test network or this machine. */
  readonly live: boolean;
}

/** The settings that decide it, under the names of the table of settings. */
export interface AddressSettings {
  readonly BINANCE_TESTNET: boolean;
  readonly BINANCE_REST_URL: string;
  readonly BINANCE_WS_URL: string;
  readonly BINANCE_WS_API_URL: string;
}

const PRODUCTION = {
  rest: "https://fapi.binance.com",
  streams: "wss://fstream.binance.com",
  socketApi: "wss://ws-fapi.binance.com/ws-fapi/v1",
};

/** Permissions of keys are not the futures service's affair. */
const ACCOUNT = "https://api.binance.com";

const TESTNET = {
  rest: "https://testnet.binancefuture.com",
  streams: "wss://fstream.binancefuture.com",
  socketApi: "wss://testnet.binancefuture.com/ws-fapi/v1",
};

/** Hosts of Binance's test network and of its demo trading. */
const TEST_HOSTS = [
  "testnet.binancefuture.com",
  "fstream.binancefuture.com",
  "stream.binancefuture.com",
  "demo-fapi.binance.com",
  "demo-fstream.binance.com",
];

/**
 * The addresses that the settings ask for: production, the test network, or three of one's own.
 *
 * @throws InputError when only some of the three are given (orders and prices of different places must not meet), when
 *   an address is malformed, or when it leaves this machine without encryption
 */
export function addressesOf(settings: AddressSettings): Addresses {
  const own = {
    rest: settings.BINANCE_REST_URL,
    streams: settings.BINANCE_WS_URL,
    socketApi: settings.BINANCE_WS_API_URL,
  };
  // The defaults of the table of settings are production's; they are what is not given.
  const given = (["rest", "streams", "socketApi"] as const).filter((name) => own[name] !== PRODUCTION[name]);
  if (given.length !== 0 && given.length !== 3) {
    throw new InputError(
      "BINANCE_REST_URL, BINANCE_WS_URL and BINANCE_WS_API_URL: give all three or none, or orders would go to another place than prices come from",
      2,
    );
  }
  const chosen = given.length === 3 ? own : settings.BINANCE_TESTNET ? TESTNET : PRODUCTION;
  const rest = checked("BINANCE_REST_URL", chosen.rest, "http");
  const streams = checked("BINANCE_WS_URL", chosen.streams, "ws");
  const socketApi = checked("BINANCE_WS_API_URL", chosen.socketApi, "ws");
  const live = [rest, streams, socketApi].some(
    ({ hostname }) => !isLoopback(hostname) && !TEST_HOSTS.includes(hostname),
  );
  const account = isLoopback(rest.hostname) ? { account: textOf(rest) } : live ? { account: ACCOUNT } : {};
  return { ...account, rest: textOf(rest), streams: textOf(streams), socketApi: textOf(socketApi), live };
}

/** True for addresses that cannot leave this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function checked(setting: string, url: string, scheme: "http" | "ws"): URL {
  const parsed = URL.parse(url);
  if (parsed === null || ![`${scheme}:`, `${scheme}s:`].includes(parsed.protocol)) {
    throw new InputError(
      `${setting}: "${parsed === null ? url : parsed.origin}" is no ${scheme}:// or ${scheme}s:// address`,
      2,
    );
  }
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "" || parsed.hash !== "") {
    throw new InputError(`${setting}: an address without user, password, query and fragment is allowed`, 2);
  }
  if (parsed.protocol === `${scheme}:` && !isLoopback(parsed.hostname)) {
    throw new InputError(`${setting}: ${parsed.host} is not on this machine, so only ${scheme}s:// is allowed`, 2);
  }
  return parsed;
}

const textOf = (url: URL): string =>
  `${url.origin === "null" ? `${url.protocol}//${url.host}` : url.origin}${url.pathname.replace(/\/+$/, "")}`;
