import type { Sql } from "postgres";

/**
 * The right to trade on a database, held by one service at a time.
 *
 * The server's clock decides when a lease runs out; the holder counts by its own monotonic clock from before it asked,
 * so that it always thinks that it has less time than it has, and gives up `margin` before the end. A process that was
 * stopped and goes on finds its time gone. Every change of hands raises the epoch, which is part of every client order
 * id: what an old holder might still send is told apart.
 */
export interface Lease {
  readonly epoch: number;
  /** Whether it is certain, right now, that nobody else may trade. To be asked before each order leaves. */
  holds(): boolean;
  /** Extends it. False when it was lost. */
  renew(): Promise<boolean>;
  /** Gives it back, so that another need not wait. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  readonly name: string;
  /** Who we are, for people: host and process. */
  readonly holder: string;
  /** How long a lease lasts without renewal, ms. */
  readonly duration: number;
  /** How long before its end we stop relying on it, ms. */
  readonly margin: number;
  /** Monotonic clock, ms. */
  readonly clock: () => number;
  /**
   * The time of day, ms. Asked besides, because a monotonic clock may stand still while a machine sleeps; when it is set
   * forward we only give up too early.
   */
  readonly wall?: () => number;
}

/** Takes the lease if nobody holds it. Returns who holds it otherwise, and under which epoch. */
export async function takeLease(
  sql: Sql,
  options: LeaseOptions,
): Promise<Lease | { readonly heldBy: string; readonly epoch: number }> {
  const { name, holder, duration, margin, clock, wall = Date.now } = options;
  const asked = clock();
  const askedAt = wall();
  const now = sql`(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;
  const [taken] = await sql<{ epoch: number }[]>`
    INSERT INTO leases AS l (name, epoch, holder, expires_at) VALUES (${name}, 1, ${holder}, ${now} + ${duration})
    ON CONFLICT (name) DO UPDATE SET epoch = l.epoch + 1, holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
    WHERE l.expires_at <= ${now}
    RETURNING epoch`;
  if (taken === undefined) {
    const [other] = await sql<
      { holder: string; epoch: number }[]
    >`SELECT holder, epoch FROM leases WHERE name = ${name}`;
    return { heldBy: other?.holder ?? "unknown", epoch: other?.epoch ?? 0 };
  }
  const { epoch } = taken;
  let until = asked + duration - margin;
  let wallUntil = askedAt + duration - margin;
  const holds = () => clock() < until && wall() < wallUntil;
  return {
    epoch,
    holds,
    async renew() {
      // Of this question: the answer to an earlier one may still be under way.
      const asked = clock();
      const askedAt = wall();
      // Once in doubt, always in doubt: another may have come and gone.
      if (!holds()) return false;
      const renewed = await sql`
        UPDATE leases SET expires_at = ${now} + ${duration}
        WHERE name = ${name} AND epoch = ${epoch} AND holder = ${holder} AND expires_at > ${now}`;
      if (renewed.count === 0) {
        until = Number.NEGATIVE_INFINITY;
        return false;
      }
      // Unless a later answer has come before this one.
      if (asked + duration - margin > until) until = asked + duration - margin;
      if (askedAt + duration - margin > wallUntil) wallUntil = askedAt + duration - margin;
      return true;
    },
    async release() {
      until = Number.NEGATIVE_INFINITY;
      await sql`UPDATE leases SET expires_at = 0 WHERE name = ${name} AND epoch = ${epoch} AND holder = ${holder}`;
    },
  };
}
