import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TrialLedger } from "../../src/learning/ledger.ts";
import type { ModelManifest } from "../../src/learning/manifest.ts";
import { type TrainingResult, train } from "../../src/learning/training.ts";
import { treeLearner } from "../../src/learning/trees.ts";
import { chooseTreeEngine } from "../../src/native.ts";
import { LIMITS, type Planted, plantedDataset } from "../../tests/learning/planted.ts";
import type { Campaign } from "./campaign.ts";

/** Of a hundred runs without anything to find, so many must be refused. */
const REFUSED_SHARE = 0.95;

/** Trains on data with a signal, without one, and with its labels shuffled: who is let through? */
export const learning: Campaign = {
  help: "trains on planted signals, noise and shuffled labels: the gate must tell them apart",
  run({ seeds, from }, progress) {
    const totals: Record<string, number> = {};
    for (const what of ["signal", "noise", "permuted"] as const) {
      totals[`${what} promoted`] = 0;
      totals[`${what} refused`] = 0;
      for (let seed = from; seed < from + seeds; seed++) {
        const { manifest } = trainPlanted(what, seed);
        totals[`${what} ${manifest.passed ? "promoted" : "refused"}`]! += 1;
        // Whoever reads the totals wants to know at once which of them to look at, and why.
        if (manifest.passed !== (what === "signal")) console.error(`${what}, seed ${seed}: ${verdict(manifest)}`);
        progress(`${what} ${seed - from + 1} of ${seeds}: ${JSON.stringify(totals)}`);
      }
    }
    const wrong = (["noise", "permuted"] as const).filter((what) => totals[`${what} refused`]! < REFUSED_SHARE * seeds);
    const missed = totals["signal promoted"]! < REFUSED_SHARE * seeds ? ["signal"] : [];
    const trouble = [...wrong, ...missed];
    return {
      totals: { seeds, ...totals },
      trouble: trouble.length === 0 ? undefined : `too many were judged wrongly: ${trouble.join(", ")}`,
    };
  },
};

/** What the gate said against a model, or all it said of one that it let through. */
function verdict({ passed, gate }: ModelManifest): string {
  const rules = gate.filter((rule) => rule.passed === passed);
  return `${passed ? "promoted" : "refused"}: ${rules.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}`;
}

/** A training on planted data with a ledger of its own. */
export function trainPlanted(what: Planted, seed: number, rows = 1500): TrainingResult {
  const dir = mkdtempSync(join(tmpdir(), "penstock-learning-"));
  try {
    const dataset = plantedDataset(what, seed, rows);
    return train({
      strategy: "hybrid",
      dataset,
      ict: dataset,
      minConfidence: 0.35,
      dataHash: dataset.hash,
      learner: treeLearner(chooseTreeEngine("auto")),
      seed,
      limits: LIMITS,
      ledger: new TrialLedger(join(dir, "trials.jsonl")),
      champion: undefined,
      featureChecks: [],
      now: 0,
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
}
