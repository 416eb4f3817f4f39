/**
 * Something the user gave us is wrong: a file, a setting, an option. The message says what, where and what is allowed;
 * the command line prints it without a stack and exits with `exitCode`.
 */
export class InputError extends Error {
  override readonly name = "InputError";
  /** 2 for wrong use or settings, 1 for anything else that failed. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
