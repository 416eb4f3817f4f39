import { withMemoryLimit } from "../memory-limit.ts";
import { selfCommand } from "../this-program.ts";

/** How a training process ended. Whatever it was, the model in charge is still in charge. */
export type TrainingEnd =
  | {
      readonly kind: "trained";
      readonly model: string | null;
      readonly promoted: boolean;
      readonly reasons: readonly string[];
    }
  | { readonly kind: "failed"; readonly reason: string };

export interface RetrainingOptions {
  /** Arguments of `penstock` beside those that are always given, such as where the bars are. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly memoryLimitMb: number;
  /** ms. */
  readonly timeout: number;
  readonly onProgress?: (share: number) => void;
  /** What is started; for tests. */
  readonly command?: readonly string[];
}

export interface Retraining {
  readonly pid: number;
  readonly ended: Promise<TrainingEnd>;
  /** Ends it at once. */
  cancel(): void;
}

/** Tells a training that it is the child of a run: it ends with its parent and reports its progress in lines. */
export const CHILD_VARIABLE = "PENSTOCK_TRAINING_CHILD";
const PROGRESS = /^progress ([\d.]+)$/;
/** What a program of Bun says before its stack, where it did not expect the error: the lines after it explain nothing. */
const ERROR = /^\w*Error: /;
/** Of what the child says on standard error the end is kept, to say why it failed. */
const KEPT_TEXT = 2000;
const KEPT_OUTPUT = 1_000_000;

/**
 * Trains in a process of its own: the lowest priority, a hard limit on its memory, a limit on its time. Nothing of it is
 * believed but that it ended: what it says is checked, and the model it leaves is read from the registry and checked
 * there.
 */
export function startRetraining(options: RetrainingOptions): Retraining {
  const { args, memoryLimitMb, timeout, onProgress = () => {} } = options;
  const train = ["train", "--json", "--set", "MAX_WORKERS=1", ...args];
  const command = options.command ?? ["nice", "-n", "19", ...selfCommand(), ...train];
  const child = Bun.spawn(withMemoryLimit(command, memoryLimitMb), {
    env: { ...options.env, [CHILD_VARIABLE]: String(process.pid) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let ending: string | undefined;
  const end = (reason: string) => {
    ending ??= reason;
    child.kill("SIGKILL");
  };
  const clock = setTimeout(() => end(`it took longer than ${Math.round(timeout / 1000)} s`), timeout);
  return { pid: child.pid, ended: finish(), cancel: () => end("it was cancelled") };

  async function finish(): Promise<TrainingEnd> {
    const [output, said] = await Promise.all([
      textOf(child.stdout, KEPT_OUTPUT, () => {}),
      textOf(child.stderr, KEPT_TEXT, (line) => {
        const [, share] = PROGRESS.exec(line) ?? [];
        if (share !== undefined) onProgress(Number(share));
      }),
    ]);
    const code = await child.exited;
    clearTimeout(clock);
    if (ending !== undefined) return { kind: "failed", reason: ending };
    if (code !== 0) {
      const lines = said.split("\n").filter((line) => line !== "" && !PROGRESS.test(line));
      const last = lines.findLast((line) => ERROR.test(line)) ?? lines.at(-1);
      const how = child.signalCode === null ? `code ${code}` : `signal ${child.signalCode}`;
      return { kind: "failed", reason: `it ended with ${how}${last === undefined ? "" : `: ${last}`}` };
    }
    return outcomeOf(output);
  }
}

/** What a child printed, if it is the outcome of a training. */
function outcomeOf(output: string): TrainingEnd {
  const nonsense: TrainingEnd = { kind: "failed", reason: "what it printed is no outcome of a training" };
  try {
    const { model, promoted, reasons } = JSON.parse(output) as Record<string, unknown>;
    if (model !== null && typeof model !== "string") return nonsense;
    if (typeof promoted !== "boolean" || !Array.isArray(reasons)) return nonsense;
    return { kind: "trained", model, promoted, reasons: reasons.map(String) };
  } catch {
    return nonsense;
  }
}

/** The last characters of a stream; each of its lines is shown on the way. */
async function textOf(
  stream: ReadableStream<Uint8Array>,
  most: number,
  onLine: (line: string) => void,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let open = "";
  for await (const chunk of stream) {
    const part = decoder.decode(chunk, { stream: true });
    text = (text + part).slice(-most);
    const lines = (open + part).split("\n");
    open = (lines.pop() ?? "").slice(-most);
    for (const line of lines) onLine(line);
  }
  return text;
}
