/** How order blocks age, by the settings OB_*; plain data, crosses to workers as it is. */
export interface BlockAgeing {
  /** OB_MAX_TEST_COUNT: a block that was tested more often is spent. */
  readonly maxTests: number;
  /** OB_DECAY_ENABLED: whether strength decays with time. */
  readonly decayEnabled: boolean;
  /** OB_TIME_DECAY_HOURS: up to this age a block is at its full strength. */
  readonly decayHours: number;
  /** OB_DECAY_RATE: the share that every further such span of time takes off. */
  readonly decayRate: number;
}

const HOUR = 3_600_000;

/**
 * What is left of an order block or breaker, 0 (spent) to 1 (fresh and never tested):
 *
 * `(1 − tests / (maxTests + 1)) × decay(age)`, with `decay` 1 up to an age of `decayHours`, then falling by the share
 * `decayRate` in every further `decayHours`, linearly within each. That is (1 − rate)^n at whole spans, without a
 * power that machines could disagree on.
 *
 * @param time ms UTC at which it is asked; the block's age counts from the close of its confirming bar
 */
export function blockStrength(
  tests: number,
  confirmedAt: number,
  time: number,
  { maxTests, decayEnabled, decayHours, decayRate }: BlockAgeing,
): number {
  if (tests > maxTests) return 0;
  const untested = 1 - tests / (maxTests + 1);
  if (!decayEnabled) return untested;
  let spans = (time - confirmedAt) / (decayHours * HOUR) - 1;
  let decay = 1;
  // A tenth of a thousandth is nothing; stopping there bounds the loop for every rate that matters.
  for (; spans >= 1 && decay > 0.0001; spans--) decay *= 1 - decayRate;
  if (spans > 0) decay *= 1 - decayRate * (spans < 1 ? spans : 1);
  return untested * decay;
}
