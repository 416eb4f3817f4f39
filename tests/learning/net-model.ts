import { createHash } from "node:crypto";
import { MODEL_COLUMNS } from "../../src/learning/dataset.ts";
import {
  artefactFile,
  hashModel,
  type ModelManifest,
  type ModelStrategy,
  ONNX_KIND,
} from "../../src/learning/manifest.ts";
import type { ModelRegistry } from "../../src/learning/registry.ts";
import { type Net, randomNet, writeNet } from "../models/onnx/net.ts";
import { trained } from "./trained.ts";

export interface NetModel {
  readonly net: Net;
  readonly manifest: ModelManifest;
  readonly artefact: Uint8Array;
}

/** A net over the columns of this build that has passed a gate, and is in no doubt about any row. */
export function netModel(strategy: ModelStrategy, seed: number): NetModel {
  const net = randomNet(MODEL_COLUMNS.length, 16, "Softmax", seed);
  const artefact = writeNet(net);
  const { manifest } = trained("signal", 1).result;
  const content = {
    ...manifest,
    strategy,
    kind: ONNX_KIND,
    calibration: { kind: "none" },
    threshold: 0.45,
    sizeScale: 1,
    conformal: { scores: [1] },
    domain: { ...manifest.domain, limit: 1e9 },
    artefact: { file: artefactFile(ONNX_KIND), sha256: createHash("sha256").update(artefact).digest("hex") },
  } as const;
  const modelHash = hashModel(content);
  return { net, artefact, manifest: { ...content, modelHash, id: modelHash.slice(0, 12) } };
}

/** Takes it in, up to a state. */
export function addNet(registry: ModelRegistry, { manifest, artefact }: NetModel, to: "shadow" | "champion"): void {
  registry.add(manifest, artefact);
  registry.move(manifest.id, "shadow", "passed", manifest.createdAt);
  if (to === "champion") registry.move(manifest.id, "champion", "for the test", manifest.createdAt);
}
