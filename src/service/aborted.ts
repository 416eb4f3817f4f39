/** Whoever started a run has stopped it before it could trade: there is nothing to report, and nothing is wrong. */
export class StoppedEarly extends Error {
  override readonly name = "StoppedEarly";

  constructor() {
    super("stopped before it began to trade");
  }
}

/** Resolves when a signal is aborted, at once where it is already. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * What comes of some work, unless a signal is aborted before: then what the work uses is closed, so that it fails soon,
 * and nobody waits for it.
 * @throws StoppedEarly
 */
export async function unlessStopped<Result>(
  signal: AbortSignal,
  work: Promise<Result>,
  close: () => void,
): Promise<Result> {
  const stopped = aborted(signal).then(() => {
    throw new StoppedEarly();
  });
  try {
    return await Promise.race([stopped, work]);
  } catch (error) {
    close();
    throw error;
  }
}
