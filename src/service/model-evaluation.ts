import type { Settings } from "../config/settings.ts";
import { calibrate } from "../learning/calibration.ts";
import { valuesAt } from "../learning/dataset.ts";
import { cautiousBet, PERIODS_PER_YEAR, periodReturns } from "../learning/evaluation.ts";
import { spanOf } from "../learning/folds.ts";
import type { ServedModel } from "../learning/judge.ts";
import { auc, brier, calibrationError, logLoss, reliability } from "../learning/scores.ts";
import { sharpeOf } from "../learning/statistics.ts";
import type { MarketChoice } from "./backtest.ts";
import { labelHistory } from "./history.ts";
import { modelRegistry, serveModel } from "./models.ts";

export interface ModelEvaluation {
  readonly model: string;
  readonly samples: number;
  readonly trades: number;
  readonly auc: number;
  readonly logloss: number;
  readonly brier: number;
  readonly ece: number;
  /** A year, on the same bars. */
  readonly sharpe: number;
  readonly ictSharpe: number;
  readonly dataHash: string;
  /** Whether any of these bars may have been trained on. */
  readonly overlapsTraining: boolean;
}

/** How a registered model does on bars. Changes nothing. @throws InputError for whatever is wrong with model or bars */
export async function evaluateModel(
  settings: Settings,
  id: string,
  choice: MarketChoice,
  onProgress?: (what: string, share: number) => void,
): Promise<ModelEvaluation> {
  const served = serveModel(modelRegistry(settings), id, settings);
  try {
    return await evaluate(settings, served, choice, onProgress);
  } finally {
    served.close();
  }
}

async function evaluate(
  settings: Settings,
  { manifest, score }: ServedModel,
  choice: MarketChoice,
  onProgress?: (what: string, share: number) => void,
): Promise<ModelEvaluation> {
  const history = await labelHistory(settings, choice, onProgress);
  const dataset = manifest.strategy === "hybrid" ? history.ict : history.probes;
  const all = Int32Array.from({ length: dataset.rows }, (_, i) => i);
  const { x } = dataset;
  const width = dataset.columns.length;
  const p = score(x, dataset.rows).map((raw) => calibrate(manifest.calibration, raw));
  const bets = p.map((each, i) => cautiousBet(manifest, each, x.subarray(i * width, (i + 1) * width), manifest.alpha));
  const span = spanOf(dataset, all);
  const { ict } = history;
  const taken = Int32Array.from({ length: ict.rows }, (_, i) => i).filter(
    (i) => ict.confidence[i]! >= settings.MIN_CONFIDENCE && ict.time[i]! >= span.from && ict.labelTime[i]! <= span.to,
  );
  const year = Math.sqrt(PERIODS_PER_YEAR);
  const y = valuesAt(dataset.y, all);
  return {
    model: manifest.id,
    samples: dataset.rows,
    trades: bets.filter((bet) => bet > 0).length,
    auc: auc(p, y),
    logloss: logLoss(p, y),
    brier: brier(p, y),
    ece: calibrationError(reliability(p, y)),
    sharpe: sharpeOf(periodReturns(dataset, dataset.net, all, (k) => bets[k]!, span)) * year,
    ictSharpe: sharpeOf(periodReturns(ict, ict.net, taken, () => 1, span)) * year,
    dataHash: history.dataHash,
    overlapsTraining: span.from <= manifest.trainedTo && span.to >= manifest.trainedFrom,
  };
}
