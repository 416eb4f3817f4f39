import { defineFeature } from "./feature.ts";

const DAY = 86_400_000;

/** A triangle wave over the day: 1 at a time of day, -1 twelve hours from it. Needs no sine, and knows no jump. */
function nearness(time: number, hour: number): number {
  const apart = Math.abs((time % DAY) / DAY - hour / 24);
  return 1 - 4 * (apart < 0.5 ? apart : 1 - apart);
}

const SESSIONS =
  "Andersen and Bollerslev, Intraday Periodicity and Volatility Persistence, J. Empirical Finance 4 (1997)";

export const dayNoon = defineFeature({
  name: "dayNoon",
  timeframe: "5m",
  formula: "1 at 12:00 UTC, falling evenly to −1 at 00:00",
  unit: "share",
  range: [-1, 1],
  warmUp: 1,
  source: `${SESSIONS}; with dayEvening it tells every time of the day`,
  value: (view) => nearness(view.time, 12),
});

export const dayEvening = defineFeature({
  name: "dayEvening",
  timeframe: "5m",
  formula: "1 at 18:00 UTC, falling evenly to −1 at 06:00",
  unit: "share",
  range: [-1, 1],
  warmUp: 1,
  source: SESSIONS,
  value: (view) => nearness(view.time, 18),
});
