import type { Verdict } from "../core/guard.ts";

/**
 * Fits an entry of value `notional` into what a cap of `maximum` times the equity leaves beside `bound`: whole, smaller, or
 * not at all. Money in 1e-8 USDT.
 */
export function withinCap(notional: number, bound: number, maximum: number, equity: number, setting: string): Verdict {
  const room = maximum * equity - bound;
  const numbers = { exposure: equity > 0 ? bound / equity : maximum, maximum };
  if (!(room > 0)) return { kind: "veto", reason: `nothing is left of ${setting}`, numbers };
  if (notional <= room) return { kind: "allow" };
  return { kind: "scale", factor: room / notional, reason: `cut to what ${setting} leaves`, numbers };
}
