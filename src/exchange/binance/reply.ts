import { parseLossless } from "./json.ts";
import type { Usage } from "./rate-budget.ts";

/** What a channel knows of a request it was given. It never sends one twice. */
export type Reply =
  | Answer
  /** It has left, or part of it has, and nothing came back. */
  | { readonly kind: "unknown"; readonly reason: string }
  /** Not a byte has left: it may go another way. */
  | { readonly kind: "unsent"; readonly reason: string }
  /** It was not allowed to leave, which says nothing about the exchange. */
  | { readonly kind: "forbidden"; readonly reason: string };

export interface Answer {
  readonly kind: "answer";
  /** HTTP status, or the `status` of the WebSocket API. */
  readonly status: number;
  /** The parsed body, with long ids as strings; undefined where it was no JSON (a firewall's page). */
  readonly body: unknown;
  readonly usage: Usage;
  /** s */
  readonly retryAfter: number | undefined;
}

/** Code and text of an error's body: `{"code":-1121,"msg":"Invalid symbol."}`; 0 and "" where it has none. */
export function errorIn(body: unknown): { code: number; message: string } {
  const { code, msg } = (typeof body === "object" && body !== null ? body : {}) as { code?: unknown; msg?: unknown };
  return { code: Number.isInteger(Number(code)) ? Number(code ?? 0) : 0, message: typeof msg === "string" ? msg : "" };
}

/** Body of a response; undefined when it is no JSON. */
export function parseBody(text: string): unknown {
  try {
    return parseLossless(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What the headers of a response say about the limits; `header` gets names in lower case. */
export function limitsIn(header: (name: string) => string | null | undefined): Pick<Answer, "usage" | "retryAfter"> {
  const number = (name: string): number | undefined => {
    const text = header(name);
    const value = text === null || text === undefined || text === "" ? Number.NaN : Number(text);
    return Number.isFinite(value) ? value : undefined;
  };
  return {
    usage: {
      weight: number("x-mbx-used-weight-1m"),
      ordersTenSeconds: number("x-mbx-order-count-10s"),
      ordersMinute: number("x-mbx-order-count-1m"),
    },
    retryAfter: number("retry-after"),
  };
}
