import { InputError } from "../input-error.ts";
import { checkRows, type Model } from "./model.ts";

/**
 * No learning at all: a row's prediction is one of its features, such as the confidence of the strategy. What decides
 * when no model is fit to, and what a model has to beat.
 *
 * @param feature the name of a feature that is never missing.
 */
export function rulesModel(features: readonly string[], feature: string): Model {
  const place = features.indexOf(feature);
  if (place < 0) throw new InputError(`the rules pass on ${feature}, which is no feature`);
  return {
    name: "rules",
    features,
    missing: "allowed",
    predict(rows, out) {
      const count = checkRows(this, rows, out);
      for (let row = 0; row < count; row++) {
        if (Number.isNaN(rows[row * features.length + place])) {
          throw new InputError(`model rules: row ${row} has no ${feature}`);
        }
      }
      for (let row = 0; row < count; row++) out[row] = rows[row * features.length + place]!;
    },
    close() {},
  };
}
