/** What a model must show before it may decide anything; from the settings. */
export interface GateLimits {
  readonly minSamples: number;
  readonly minDeflatedSharpe: number;
  readonly maxOverfitting: number;
  readonly maxCalibrationError: number;
  /** Trades out of sample. */
  readonly minTrades: number;
}

/** What evaluation measured, out of sample. Sharpe ratios per period of four hours. */
export interface Evidence {
  readonly samples: number;
  readonly trades: number;
  readonly auc: number;
  readonly brier: number;
  /** Of predicting the base rate for all. */
  readonly baseBrier: number;
  /** Calibration error, and what of it chance alone explains. */
  readonly ece: number;
  readonly eceNoise: number;
  /** On the same bars: the model, and whom it has to beat. */
  readonly sharpe: number;
  readonly ictSharpe: number;
  readonly championSharpe: number | undefined;
  /** With every trial of the ledger, and with this run's alone. */
  readonly deflatedSharpe: number;
  readonly deflatedSharpeRun: number;
  readonly pbo: number;
  readonly leakage: readonly Check[];
}

/** A check by name, with what it found in words. */
export interface Check {
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** Judges a model. Every rule is listed, kept or not, so that a refusal says all that was wrong with it. */
export function judgeModel(evidence: Evidence, limits: GateLimits): Check[] {
  const { sharpe, ictSharpe, championSharpe } = evidence;
  const figure = (value: number) => value.toFixed(3);
  const broken = evidence.leakage.filter(({ passed }) => !passed).map(({ name }) => name);
  return [
    {
      name: "samples",
      passed: evidence.samples >= limits.minSamples,
      detail: `${evidence.samples} samples, at least ${limits.minSamples}`,
    },
    {
      name: "trades",
      passed: evidence.trades >= limits.minTrades,
      detail: `${evidence.trades} trades out of sample, at least ${limits.minTrades}`,
    },
    {
      name: "beats no-trade",
      passed: sharpe > 0,
      detail: `walk-forward Sharpe ${figure(sharpe)} per period after costs, above 0`,
    },
    {
      name: "beats ict",
      passed: sharpe > ictSharpe,
      detail: `walk-forward Sharpe ${figure(sharpe)} per period, ict ${figure(ictSharpe)} on the same bars`,
    },
    {
      name: "beats the champion",
      passed: championSharpe === undefined || sharpe > championSharpe,
      detail:
        championSharpe === undefined
          ? "there is no champion"
          : `walk-forward Sharpe ${figure(sharpe)} per period, the champion ${figure(championSharpe)} on the same bars`,
    },
    {
      name: "deflated Sharpe",
      passed: evidence.deflatedSharpe >= limits.minDeflatedSharpe,
      detail: `${figure(evidence.deflatedSharpe)} with all trials of the ledger (this run alone ${figure(evidence.deflatedSharpeRun)}), at least ${limits.minDeflatedSharpe}`,
    },
    {
      name: "overfitting",
      passed: evidence.pbo <= limits.maxOverfitting,
      detail: `probability of overfitting ${figure(evidence.pbo)}, at most ${limits.maxOverfitting}`,
    },
    {
      name: "calibration",
      passed: evidence.ece - evidence.eceNoise <= limits.maxCalibrationError && evidence.brier <= evidence.baseBrier,
      detail: `calibration error ${figure(evidence.ece)} of which chance explains ${figure(evidence.eceNoise)}, at most ${limits.maxCalibrationError} beyond it; Brier ${figure(evidence.brier)}, base rate ${figure(evidence.baseBrier)}`,
    },
    {
      name: "leakage",
      passed: broken.length === 0,
      detail: broken.length === 0 ? `${evidence.leakage.length} checks passed` : `failed: ${broken.join(", ")}`,
    },
  ];
}
