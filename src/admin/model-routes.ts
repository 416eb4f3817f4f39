import { Elysia, t } from "elysia";
import { InputError } from "../input-error.ts";
import { ModelFolder, type RegisteredModel } from "../learning/registry.ts";
import { answering } from "./answering.ts";
import type { Identity } from "./authentication.ts";
import type { Mirror } from "./mirror.ts";
import type { AdminRequest, LearningRow } from "./protocol.ts";
import { Done } from "./schemas.ts";

export interface ModelParts {
  readonly mirror: Mirror;
  /** Folder of the models. */
  readonly models: string;
  readonly identityOf: (request: Request) => Identity | undefined;
}

/** What has to be typed: who decides is not changed by a slip of the hand. */
export const MODEL_CONFIRMATIONS = { promote: "PROMOTE", rollback: "ROLLBACK" } as const;

const Id = t.Object({ id: t.String({ pattern: "^[0-9a-f]{1,12}$", description: "its id, or the beginning of it" }) });
const Confirmed = t.Object({ confirm: t.String({ maxLength: 40, description: "the confirmation, typed" }) });

const known = t.Union([t.Number(), t.Null()]);
const time = t.Number({ description: "ms UTC" });
const checks = t.Array(t.Object({ name: t.String(), passed: t.Boolean(), detail: t.String() }));

const BRIEF = {
  id: t.String(),
  strategy: t.String(),
  state: t.String(),
  since: time,
  kind: t.String(),
  variant: t.String(),
  createdAt: time,
  samples: t.Number(),
  trainedFrom: time,
  trainedTo: time,
  passed: t.Boolean({ description: "whether it passed the gate" }),
  metrics: t.Record(t.String(), known),
};

const ModelsAnswer = t.Object({
  strategy: t.String(),
  learning: t.Union([
    t.Null({ description: "no model is ever asked" }),
    t.Object({
      model: t.String({ description: "its id; empty: the rules decide" }),
      server: t.String({ description: "who answers for it" }),
      away: t.String({ description: "the model in charge while it gives no answer: the rules decide until it does" }),
      shadow: t.String(),
      shadowHours: t.Number(),
      shadowOutcomes: t.Integer(),
      modelAge: known,
      swaps: t.Number(),
      training: known,
      trainings: t.Number(),
      trainingFailures: t.Number(),
      drift: t.Union([t.Null(), t.Record(t.String(), known)]),
      unanswered: t.Number({ description: "cycles that the rules decided because the model gave no answer" }),
      rescoring: t.Object({ failures: t.Number(), calls: t.Number(), rows: t.Number() }),
    }),
  ]),
  models: t.Array(t.Object(BRIEF)),
});

const ModelAnswer = t.Object({
  ...BRIEF,
  parent: t.Union([t.String(), t.Null()]),
  parameters: t.Record(t.String(), known),
  threshold: t.Number(),
  gate: checks,
  leakage: checks,
  life: t.Array(t.Object({ at: time, model: t.String(), strategy: t.String(), to: t.String(), reason: t.String() })),
  reliability: t.Array(t.Object({ count: t.Number(), predicted: t.Number(), observed: t.Number() })),
  importance: t.Array(t.Object({ column: t.String(), loss: t.Number() })),
});

/**
 * Models, their gate and their drift. What is registered lies in files, which this thread reads for itself; whatever
 * changes them is asked of the trading thread.
 */
export function modelRoutes(
  { mirror, models, identityOf }: ModelParts,
  operate: (request: Request, asked: AdminRequest) => Promise<Response>,
) {
  const confirmed = (request: Request, asked: AdminRequest, wanted: string, typed: string) =>
    identityOf(request)?.role === "operator" && typed !== wanted
      ? refusal(409, `this changes who decides: confirm it with "confirm": "${wanted}"`)
      : operate(request, asked);
  return new Elysia()
    .get(
      "/api/models",
      () =>
        read(() => ({
          strategy: mirror.run.strategy,
          learning: mirror.learning === undefined ? null : withoutChances(mirror.learning),
          models: new ModelFolder(models).list().map(brief).reverse(),
        })),
      {
        detail: {
          summary: "Who decides, its drift, and every model with its state and figures; the newest first",
          responses: answering(ModelsAnswer, 503),
        },
      },
    )
    .get(
      "/api/models/:id",
      ({ params }) =>
        read(() => {
          const registry = new ModelFolder(models);
          const model = registry.get(params.id);
          const { id, gate, leakage, parameters, parent, threshold } = model.manifest;
          const details = registry.details(id);
          return {
            ...brief(model),
            ...{ parent: parent ?? null, parameters, threshold, gate, leakage },
            life: registry.steps.filter(({ model: of }) => of === id),
            reliability: details?.reliability ?? [],
            importance: details?.importance ?? [],
          };
        }),
      {
        params: Id,
        detail: {
          summary: "One model: gate, checks, life, reliability and what it looks at",
          responses: answering(ModelAnswer, 404, 503),
        },
      },
    )
    .post("/api/training", ({ request }) => operate(request, { kind: "model", action: "train" }), {
      detail: {
        summary: "Train now, beside the trading; one training at a time",
        responses: answering(Done, 409, 504),
      },
    })
    .post(
      "/api/models/:id/promote",
      ({ request, params, body }) => {
        const asked = { kind: "model", action: "promote", id: params.id } as const;
        return confirmed(request, asked, MODEL_CONFIRMATIONS.promote, body.confirm);
      },
      {
        params: Id,
        body: Confirmed,
        detail: {
          summary: "Let a model that passed the gate decide from the next cycle on",
          responses: answering(Done, 409, 504),
        },
      },
    )
    .post(
      "/api/models/rollback",
      ({ request, body }) =>
        confirmed(request, { kind: "model", action: "rollback" }, MODEL_CONFIRMATIONS.rollback, body.confirm),
      {
        body: Confirmed,
        detail: {
          summary: "Let the champion before this one decide again; without one the rules",
          responses: answering(Done, 409, 504),
        },
      },
    );
}

/** Those of the positions are told with the positions. */
function withoutChances({ chances, ...row }: LearningRow) {
  return row;
}

function brief({ manifest, state, since }: RegisteredModel) {
  const { id, strategy, kind, variant, createdAt, samples, trainedFrom, trainedTo, passed, metrics } = manifest;
  return { id, strategy, state, since, kind, variant, createdAt, samples, trainedFrom, trainedTo, passed, metrics };
}

/** What lies in files may be missing or broken, and is then said. */
function read(answer: () => object): Response {
  try {
    return Response.json(answer());
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // Messages about files name folders, which are for whoever has the machine and its log.
    if (error.exitCode === 2) return refusal(404, error.message);
    process.stderr.write(`penstock: admin: ${error.message}\n`);
    return refusal(503, "the models cannot be read; the log has more");
  }
}

function refusal(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
