import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input-error.ts";
import { appendLines } from "./append-line.ts";
import { MODEL_COLUMNS } from "./dataset.ts";
import { TrialLedger } from "./ledger.ts";
import { hashModel, type ModelManifest, type ModelStrategy } from "./manifest.ts";
import { reading, readWhole } from "./read-file.ts";
import { ShadowLog } from "./shadow.ts";
import type { TrainingDetails } from "./training.ts";

/**
 * The life of a model: `candidate` when it is trained, `refused` by the gate or `shadow` after it (it predicts and
 * decides nothing), `champion` while it decides, `retired` afterwards.
 */
export const MODEL_STATES = ["candidate", "refused", "shadow", "champion", "retired"] as const;
export type ModelState = (typeof MODEL_STATES)[number];

/** One step of a life. The states are what follows from all of them; nothing is ever rewritten. */
export interface LifeStep {
  readonly at: number;
  readonly model: string;
  readonly strategy: ModelStrategy;
  readonly to: ModelState;
  readonly reason: string;
}

export interface RegisteredModel {
  readonly manifest: ModelManifest;
  readonly state: ModelState;
  readonly since: number;
}

export interface Roles {
  readonly champion: string;
  readonly shadows: readonly string[];
}

/** What lies beside a model and is not part of it. */
export interface Beside {
  readonly onnx?: Uint8Array;
  readonly details?: TrainingDetails;
}

/** What the rest of the program needs of wherever models are kept. */
export interface ModelRegistry {
  readonly ledger: TrialLedger;
  /** What was seen of shadows by all runs. */
  readonly shadows: ShadowLog;
  /** All that can be read, by when they were made. Reads every manifest: not for whoever is in a hurry. */
  list(): readonly RegisteredModel[];
  /** Why the others cannot be read. A damaged file harms no model but its own. */
  unreadable(): readonly string[];
  /**
   * Ids of the champion, empty for nobody, and of the shadows, the longest first. From their lives alone: cheap, and
   * whatever became of the files of a model, the life says who decides.
   */
  roles(strategy: ModelStrategy): Roles;
  /** By id or the unambiguous beginning of one. @throws InputError when there is no such model */
  get(id: string): RegisteredModel;
  /** Manifest and artefact, checked. @throws InputError for anything that is not what was registered */
  artefact(id: string): Uint8Array;
  /**
   * Takes in a model as `candidate`. Taking in the same one again changes nothing.
   * @param beside the same trees for other programs, and what people look at: nothing of it decides anything
   */
  add(manifest: ModelManifest, artefact: Uint8Array, beside?: Beside): void;
  /** What its training left for people; undefined for a model without it. */
  details(id: string): TrainingDetails | undefined;
  champion(strategy: ModelStrategy): RegisteredModel | undefined;
  /** The champion that was before this one retires it; shadows stay. @throws InputError where the life has no such step */
  move(id: string, to: ModelState, reason: string, at: number): void;
  /** Former champions, the last first; at most five. */
  formerChampions(strategy: ModelStrategy): readonly RegisteredModel[];
  /** All steps of all lives. @throws InputError when they cannot be read, as everything does that follows from them */
  readonly steps: readonly LifeStep[];
}

const MAY_FOLLOW: Readonly<Record<ModelState, readonly ModelState[]>> = {
  candidate: ["refused", "shadow"],
  refused: [],
  shadow: ["champion", "retired"],
  champion: ["retired"],
  retired: ["champion"],
};

const DETAILS = "training.json";

/** How many former champions one can go back to. */
const KEPT = 5;

/**
 * Models in a folder: `<id>/manifest.json` and its artefact, written whole and then named; `life.jsonl`, one step a
 * line, append-only; `shadow.jsonl`, what was seen of shadows; `trials.jsonl`, the ledger. Two processes may use it: what one appends the other sees when it reads
 * next.
 */
export class ModelFolder implements ModelRegistry {
  readonly ledger: TrialLedger;
  readonly shadows: ShadowLog;
  readonly #dir: string;
  #steps: { readonly stamp: string; readonly steps: readonly LifeStep[] } = { stamp: "", steps: [] };

  constructor(dir: string) {
    this.#dir = dir;
    this.ledger = new TrialLedger(join(dir, "trials.jsonl"));
    this.shadows = new ShadowLog(join(dir, "shadow.jsonl"));
  }

  get steps(): readonly LifeStep[] {
    const path = join(this.#dir, "life.jsonl");
    const found = reading(path, () => statSync(path, { throwIfNoEntry: false }));
    if (found === undefined) return [];
    // It only ever grows: as long as it has not, nothing has happened to any model.
    const stamp = `${found.size} ${found.mtimeMs}`;
    if (this.#steps.stamp !== stamp)
      this.#steps = { stamp, steps: readWhole(path).toString().split("\n").flatMap(stepsOf) };
    return this.#steps.steps;
  }

  list(): readonly RegisteredModel[] {
    const last = this.#last();
    return this.#ids()
      .flatMap((id) => {
        const manifest = this.#manifest(id);
        return manifest instanceof InputError ? [] : registered(manifest, last);
      })
      .sort((a, b) => a.manifest.createdAt - b.manifest.createdAt || (a.manifest.id < b.manifest.id ? -1 : 1));
  }

  unreadable(): readonly string[] {
    return this.#ids().flatMap((id) => {
      const manifest = this.#manifest(id);
      return manifest instanceof InputError ? [manifest.message] : [];
    });
  }

  roles(strategy: ModelStrategy): Roles {
    const last = [...this.#last().values()].filter(({ strategy: of }) => of === strategy);
    return {
      champion: last.findLast(({ to }) => to === "champion")?.model ?? "",
      shadows: last.filter(({ to }) => to === "shadow").map(({ model }) => model),
    };
  }

  get(id: string): RegisteredModel {
    const ids = this.#ids();
    const found = id === "" ? [] : ids.filter((each) => each.startsWith(id));
    const [only] = found;
    if (only === undefined || found.length > 1) {
      const why = found.length > 1 ? "several models begin with" : "there is no model";
      throw new InputError(`${why} ${id}; there are: ${ids.length === 0 ? "none" : ids.join(", ")}`, 2);
    }
    const manifest = this.#manifest(only);
    if (manifest instanceof InputError) throw manifest;
    return registered(manifest, this.#last());
  }

  artefact(id: string): Uint8Array {
    const { manifest } = this.get(id);
    const path = join(this.#dir, manifest.id, manifest.artefact.file);
    if (!existsSync(path)) throw new InputError(`${path}: the artefact of model ${manifest.id} is missing`);
    const bytes = readWhole(path);
    checkModel(manifest, bytes, path);
    return bytes;
  }

  details(id: string): TrainingDetails | undefined {
    const path = join(this.#dir, this.get(id).manifest.id, DETAILS);
    if (!existsSync(path)) return undefined;
    try {
      return JSON.parse(readFileSync(path, "utf8")) as TrainingDetails;
    } catch (error) {
      throw new InputError(`${path}: cannot be read: ${(error as Error).message}`);
    }
  }

  add(manifest: ModelManifest, artefact: Uint8Array, { onnx, details }: Beside = {}): void {
    checkModel(manifest, artefact, `model ${manifest.id}`);
    const target = join(this.#dir, manifest.id);
    if (existsSync(target)) return;
    const draft = `${target}.${process.pid}.tmp`;
    try {
      mkdirSync(draft, { recursive: true });
      writeFileSync(join(draft, manifest.artefact.file), artefact);
      if (onnx !== undefined) writeFileSync(join(draft, "model.onnx"), onnx);
      if (details !== undefined) writeFileSync(join(draft, DETAILS), `${JSON.stringify(details)}\n`);
      writeFileSync(join(draft, "manifest.json"), `${JSON.stringify(manifest)}\n`);
      renameSync(draft, target);
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      throw new InputError(`${target}: cannot be written: ${(error as Error).message}`);
    }
    this.#append({
      at: manifest.createdAt,
      model: manifest.id,
      strategy: manifest.strategy,
      to: "candidate",
      reason: "trained",
    });
  }

  champion(strategy: ModelStrategy): RegisteredModel | undefined {
    const { champion } = this.roles(strategy);
    return champion === "" ? undefined : this.#readable(champion);
  }

  move(id: string, to: ModelState, reason: string, at: number): void {
    const { manifest, state } = this.get(id);
    const { strategy } = manifest;
    if (!MAY_FOLLOW[state].includes(to))
      throw new InputError(`model ${manifest.id} is ${state}; it cannot become ${to}`);
    if ((to === "champion" || to === "shadow") && !manifest.passed) {
      const failed = manifest.gate.filter(({ passed }) => !passed).map(({ name }) => name);
      throw new InputError(`model ${manifest.id} did not pass the gate (${failed.join(", ")}); it decides nothing`);
    }
    const before = to === "champion" ? this.roles(strategy).champion : "";
    this.#append({ at, model: manifest.id, strategy, to, reason, ...(before !== "" && { retires: before }) });
  }

  formerChampions(strategy: ModelStrategy): readonly RegisteredModel[] {
    const ids: string[] = [];
    for (const { model, to, strategy: of } of [...this.steps].reverse()) {
      if (to === "champion" && of === strategy && !ids.includes(model)) ids.push(model);
    }
    return ids
      .flatMap((id) => this.#readable(id) ?? [])
      .filter(({ state }) => state === "retired")
      .slice(0, KEPT);
  }

  #append(step: LifeLine): void {
    appendLines(join(this.#dir, "life.jsonl"), `${JSON.stringify(step)}\n`);
  }

  #ids(): string[] {
    return existsSync(this.#dir)
      ? reading(this.#dir, () => readdirSync(this.#dir)).filter((name) => ID.test(name))
      : [];
  }

  /** The last step of each model, in the order in which they were taken. */
  #last(): Map<string, LifeStep> {
    const last = new Map<string, LifeStep>();
    for (const step of this.steps) {
      last.delete(step.model);
      last.set(step.model, step);
    }
    return last;
  }

  #readable(id: string): RegisteredModel | undefined {
    const manifest = this.#manifest(id);
    return manifest instanceof InputError ? undefined : registered(manifest, this.#last());
  }

  /** Of a folder; or what is wrong with it. */
  #manifest(id: string): ModelManifest | InputError {
    const path = join(this.#dir, id, "manifest.json");
    try {
      const manifest = JSON.parse(readFileSync(path, "utf8")) as ModelManifest;
      return manifest.id === id ? manifest : new InputError(`${path}: is the manifest of ${manifest.id}`);
    } catch (error) {
      return new InputError(`${path}: is no manifest: ${(error as Error).message}`);
    }
  }
}

function registered(manifest: ModelManifest, last: ReadonlyMap<string, LifeStep>): RegisteredModel {
  const step = last.get(manifest.id);
  return { manifest, state: step?.to ?? "candidate", since: step?.at ?? manifest.createdAt };
}

/** One model's place taken by another is one line: a crash or a full disk leaves either of them in charge, never none. */
interface LifeLine extends LifeStep {
  readonly retires?: string;
}

function stepsOf(line: string): LifeStep[] {
  if (line === "") return [];
  try {
    const { retires, ...step } = JSON.parse(line) as LifeLine;
    if (retires === undefined) return [step];
    const reason = `${step.model} takes its place: ${step.reason}`;
    return [{ ...step, model: retires, to: "retired", reason }, step];
  } catch {
    // The torn line of a crash: that step was never taken.
    return [];
  }
}

const ID = /^[0-9a-f]{12}$/;

/** That a model is what its manifest says, and takes the rows of this build. @throws InputError */
function checkModel(manifest: ModelManifest, artefact: Uint8Array, where: string): void {
  const { columns } = manifest;
  if (columns.length !== MODEL_COLUMNS.length || columns.some((name, i) => name !== MODEL_COLUMNS[i])) {
    const missing = MODEL_COLUMNS.filter((name) => !columns.includes(name));
    const detail = missing.length === 0 ? "" : `; missing: ${missing.join(", ")}`;
    throw new InputError(
      `${where}: takes ${columns.length} columns that are not the ${MODEL_COLUMNS.length} of this build${detail}`,
    );
  }
  const sha256 = createHash("sha256").update(artefact).digest("hex");
  if (sha256 !== manifest.artefact.sha256) {
    throw new InputError(
      `${where}: its content is not what was registered (SHA-256 ${sha256.slice(0, 12)}, ${manifest.artefact.sha256.slice(0, 12)} expected)`,
    );
  }
  const hash = hashModel(manifest);
  if (hash !== manifest.modelHash || !hash.startsWith(manifest.id)) {
    throw new InputError(`${where}: the manifest was changed: it hashes to ${hash.slice(0, 12)}`);
  }
}
