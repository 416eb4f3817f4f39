import { InputError } from "../input-error.ts";

/** What a request may wait for and how often it is tried. */
export interface HttpOptions {
  /** ms until an answer has to be there in full. */
  readonly timeout?: number;
  /** ms before the second attempt; doubled before each further one. */
  readonly pause?: number;
}

const ATTEMPTS = 4;
const TIMEOUT = 60_000;
const PAUSE = 1000;

/** An answer that has been read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/**
 * Gets a public address. Connections that fail and errors of the server (5xx) are tried again a few times; every other
 * answer is returned.
 * @throws InputError when no attempt succeeds, and where the service refuses this machine or its location
 */
export async function get(url: string, options: HttpOptions = {}): Promise<Answer> {
  const { timeout = TIMEOUT, pause = PAUSE } = options;
  let why = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await Bun.sleep(pause * (1 << (attempt - 1)));
    let answer: Answer;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeout), redirect: "follow" });
      answer = { status: response.status, headers: response.headers, body: await response.bytes() };
    } catch (error) {
      why = (error as Error).message;
      continue;
    }
    if (answer.status === 451 || answer.status === 403) {
      throw new InputError(`${url}: refused for this machine or its location (HTTP ${answer.status})`);
    }
    if (answer.status < 500) return answer;
    why = `HTTP ${answer.status}`;
  }
  throw new InputError(`${url}: no answer after ${ATTEMPTS} attempts (${why})`);
}

/** The base address from a setting, without a slash at its end. @throws InputError (exit 2) for something else */
export function baseUrl(name: string, text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InputError(`${name}=${text} is not an address; write https://host`, 2);
  }
  return text.replace(/\/+$/, "");
}
