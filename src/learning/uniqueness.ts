import type { Spans } from "./folds.ts";

/**
 * Average uniqueness of labels (López de Prado 2018, chapter 4): u = mean over the label's life of 1 / c(t), where c(t)
 * counts the labels of the same symbol alive at t. In continuous time: F(t) = ∫ 1/c, so that
 * u = (F(t₁) − F(t₀)) / (t₁ − t₀), all of it in one sweep over the begins and ends.
 *
 * @returns a weight per sample, scaled to a mean of 1
 */
export function uniquenessWeights(spans: Spans, symbol: ArrayLike<number>): Float64Array {
  const n = spans.time.length;
  const weights = new Float64Array(n);
  const bySymbol = new Map<number, number[]>();
  for (let i = 0; i < n; i++) {
    const own = bySymbol.get(symbol[i]!);
    if (own === undefined) bySymbol.set(symbol[i]!, [i]);
    else own.push(i);
  }
  let total = 0;
  for (const own of bySymbol.values()) {
    for (const [i, u] of uniquenessOf(spans, own)) {
      weights[i] = u;
      total += u;
    }
  }
  for (let i = 0; i < n; i++) weights[i]! *= n / total;
  return weights;
}

function* uniquenessOf({ time, labelTime }: Spans, samples: readonly number[]): Generator<[sample: number, u: number]> {
  const moments = samples
    .flatMap((i) => [
      { at: time[i]!, change: 1 },
      { at: labelTime[i]!, change: -1 },
    ])
    .sort((a, b) => a.at - b.at);
  const integral = new Map<number, number>();
  let [alive, before, sum] = [0, moments[0]?.at ?? 0, 0];
  for (const { at, change } of moments) {
    if (alive > 0) sum += (at - before) / alive;
    integral.set(at, sum);
    before = at;
    alive += change;
  }
  for (const i of samples) {
    const life = labelTime[i]! - time[i]!;
    // A label that is known at once shares nothing.
    yield [i, life > 0 ? (integral.get(labelTime[i]!)! - integral.get(time[i]!)!) / life : 1];
  }
}
