/** Places of the control words that the thread which waits and the one which answers share. */
export const STATE = 0;
/** Bytes of the text, where there is one. */
export const LENGTH = 1;
export const CONTROL_BYTES = 8;

/** Values of STATE. `refused` and `lost` come with a text. */
export const WAITING = 0;
export const ANSWERED = 1;
export const ALLOWS_MISSING = 2;
export const REFUSED = 3;
export const LOST = 4;

/** Longest text, bytes; the rest of it is cut off. */
export const TEXT_BYTES = 4096;

/** A task of the thread that has the model process. It answers in shared memory, because whoever asked is asleep. */
export type BlockingTask = {
  readonly control: SharedArrayBuffer;
  /** Takes the predictions (float64), or the text. */
  readonly answer: SharedArrayBuffer;
} & (
  | {
      readonly kind: "load";
      readonly bytes: Uint8Array;
      readonly width: number;
      readonly where: string;
      readonly memoryLimit: number;
      readonly deadline: number;
    }
  | { readonly kind: "predict"; readonly rows: Float32Array }
);
