import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A viewer reads everything but secrets; an operator also acts. */
export const ROLES = ["viewer", "operator"] as const;
export type Role = (typeof ROLES)[number];

/** Who asks: his role, and a name for the audit that gives nothing of the token away. */
export interface Identity {
  readonly role: Role;
  readonly actor: string;
}

/** A session ends after so much time without use, and at last a week after signing in, ms. */
const SESSION_IDLE_MS = 12 * 3_600_000;
const SESSION_MS = 7 * 24 * 3_600_000;
/** Sessions of one role kept at once; its oldest goes, so that no viewer can push an operator out. */
const SESSIONS_MAX = 128;

/** Different wrong tokens of one address within the window after which it has to wait. */
const WRONG_MAX = 10;
const WRONG_WINDOW_MS = 60_000;
/** Addresses remembered; beyond it the oldest is forgotten, so that nobody can fill our memory. */
const ADDRESSES_MAX = 4096;

interface Session extends Identity {
  /** When it ends unless it is used. */
  expires: number;
  /** When it ends in any case. */
  readonly ends: number;
}

interface Failures {
  count: number;
  since: number;
  /** The last wrong token: a program that sends the same one again and again guesses nothing. */
  last: Buffer;
}

export type Authentication =
  | { readonly kind: "known"; readonly identity: Identity }
  | { readonly kind: "unknown" }
  | { readonly kind: "locked"; readonly retryAfter: number };

/**
 * Tokens, sessions and lock-out. Tokens are compared by their SHA-256 in constant time, and both are always compared,
 * so that neither length nor prefix nor role shows in the time it takes. Times are ms of any clock that does not go back.
 */
export class Authenticator {
  readonly #tokens: readonly { readonly role: Role; readonly hash: Buffer; readonly actor: string }[];
  readonly #sessions = new Map<string, Session>();
  readonly #failures = new Map<string, Failures>();

  readonly #onLockOut: (address: string) => void;

  /** @param viewer empty: no viewers @param onLockOut told once of each lock-out */
  constructor(operator: string, viewer: string, onLockOut: (address: string) => void = () => {}) {
    this.#onLockOut = onLockOut;
    const tokens: [Role, string][] = [["operator", operator]];
    if (viewer !== "") tokens.push(["viewer", viewer]);
    this.#tokens = tokens.map(([role, token]) => {
      const hash = sha256(token);
      return { role, hash, actor: `${role}:${hash.toString("hex").slice(0, 8)}` };
    });
  }

  /** Judges `Authorization: Bearer …` from an address. */
  token(token: string, address: string, now: number): Authentication {
    const locked = this.#lockedFor(address, now);
    if (locked > 0) return { kind: "locked", retryAfter: locked };
    const hash = sha256(token);
    let found: Identity | undefined;
    for (const known of this.#tokens) {
      if (timingSafeEqual(known.hash, hash)) found = { role: known.role, actor: known.actor };
    }
    if (found !== undefined) {
      this.#failures.delete(address);
      return { kind: "known", identity: found };
    }
    this.#failed(address, hash, now);
    return { kind: "unknown" };
  }

  /** Opens a session and gives the cookie's value. */
  open(identity: Identity, now: number): string {
    const alike: string[] = [];
    for (const [key, session] of this.#sessions) {
      if (session.expires <= now) this.#sessions.delete(key);
      else if (session.role === identity.role) alike.push(key);
    }
    if (alike.length >= SESSIONS_MAX) this.#sessions.delete(alike[0]!);
    const id = randomBytes(32).toString("base64url");
    const ends = now + SESSION_MS;
    this.#sessions.set(keyOf(id), { ...identity, expires: now + SESSION_IDLE_MS, ends });
    return id;
  }

  /** Who a cookie belongs to; a session in use does not end before its week is over. */
  session(id: string, now: number): Identity | undefined {
    const session = this.#sessions.get(keyOf(id));
    if (session === undefined || session.expires <= now) return undefined;
    const later = now + SESSION_IDLE_MS;
    session.expires = later < session.ends ? later : session.ends;
    return session;
  }

  close(id: string): void {
    this.#sessions.delete(keyOf(id));
  }

  #lockedFor(address: string, now: number): number {
    const failures = this.#failures.get(address);
    if (failures === undefined || failures.count < WRONG_MAX) return 0;
    const left = failures.since + WRONG_WINDOW_MS - now;
    if (left <= 0) this.#failures.delete(address);
    return left;
  }

  #failed(address: string, hash: Buffer, now: number): void {
    const failures = this.#failures.get(address);
    if (failures !== undefined && now - failures.since < WRONG_WINDOW_MS) {
      if (failures.last.equals(hash)) return;
      failures.last = hash;
      failures.count += 1;
      // The wait begins anew with the attempt that brings it.
      if (failures.count === WRONG_MAX) {
        failures.since = now;
        this.#onLockOut(address);
      }
      return;
    }
    if (this.#failures.size >= ADDRESSES_MAX) {
      const oldest = this.#failures.keys().next();
      if (!oldest.done) this.#failures.delete(oldest.value);
    }
    this.#failures.set(address, { count: 1, since: now, last: hash });
  }
}

/** Sessions are looked up by hash: whoever could read this memory or time the lookup still has no cookie. */
function keyOf(id: string): string {
  return sha256(id).toString("base64");
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
