/** The parts of the confidence. */
export const ICT_SCORES = ["alignment", "structure", "zone", "sweep", "momentum", "volume"] as const;
export type IctScore = (typeof ICT_SCORES)[number];

/** A rising line through these points, level before the first and after the last. */
export type Curve = readonly (readonly [x: number, y: number])[];

/** Plain data; crosses to workers as it is. */
export interface Calibration {
  /** Share of all signals of the sample that won. */
  readonly base: number;
  /** From each score to the share of signals with such a score that won. */
  readonly scores: Readonly<Record<IctScore, Curve>>;
  /** From the sum of what the scores add to or take from `base` to the confidence. */
  readonly total: Curve;
}

/**
 * Fitted by
 *
 *     bun tools/calibrate-ict.ts m5-long-2023-2024 m1-30d-2025-06 m1-wide-2025-06
 *
 * on recorded bars with the data hashes 281198c0e1553eb5…, bbfe839a64ac1f24…, 2fb3f6408a45e33a… (docs/structure.md,
 * "What the confidence means"): 998 signals, of which 50.4 % won. None of these bars is of the month on which backtests
 * are judged, October 2025.
 */
export const ICT_CALIBRATION: Calibration = {
  base: 0.504,
  scores: {
    alignment: [
      [0.789, 0.4272],
      [0.9567, 0.545],
    ],
    structure: [
      [0.4322, 0.4874],
      [0.538, 0.4992],
      [0.663, 0.5253],
    ],
    zone: [
      [0.3011, 0.487],
      [0.6913, 0.5358],
    ],
    sweep: [
      [0, 0.4665],
      [0.3855, 0.524],
    ],
    momentum: [
      [0.6928, 0.4586],
      [0.8352, 0.5123],
      [0.9343, 0.541],
    ],
    volume: [[0.5859, 0.504]],
  },
  total: [
    [-0.0973, 0.4455],
    [-0.0293, 0.4907],
    [0.0398, 0.5432],
  ],
};

/** The curve at x; a NaN gives the first value. */
export function valueAt(curve: Curve, x: number): number {
  let [leftX, leftY] = curve[0]!;
  if (!(x > leftX)) return leftY;
  for (let i = 1; i < curve.length; i++) {
    const [rightX, rightY] = curve[i]!;
    if (x < rightX) return leftY + ((x - leftX) / (rightX - leftX)) * (rightY - leftY);
    leftX = rightX;
    leftY = rightY;
  }
  return leftY;
}

/** What all scores together add to the base, before the last curve. */
export function evidence({ base, scores }: Calibration, raw: Readonly<Record<IctScore, number>>): number {
  let sum = 0;
  for (const name of ICT_SCORES) sum += valueAt(scores[name], raw[name]) - base;
  return sum;
}

/** The confidence that the raw scores give. */
export function calibrated(calibration: Calibration, raw: Readonly<Record<IctScore, number>>): number {
  return valueAt(calibration.total, evidence(calibration, raw));
}
