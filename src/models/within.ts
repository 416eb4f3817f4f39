/** Nobody answered in time; what was asked may still be at it. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** An answer that has so many milliseconds. What comes later, or fails later, is ignored. @throws NoAnswer */
export function within<Value>(answer: Promise<Value>, ms: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new NoAnswer(`none within ${ms} ms`)), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
