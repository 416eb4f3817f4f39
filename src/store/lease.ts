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
}

/** Takes the lease if nobody holds it. Returns who holds it otherwise. */
export async function takeLease(sql: Sql, options: LeaseOptions): Promise<Lease | { readonly heldBy: string }> {
  const { name, holder, duration, margin, clock } = options;
  let asked = clock();
  const now = sql`(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;
  const [taken] = await sql<{ epoch: number }[]>`
    INSERT INTO leases AS l (name, epoch, holder, expires_at) VALUES (${name}, 1, ${holder}, ${now} + ${duration})
    ON CONFLICT (name) DO UPDATE SET epoch = l.epoch + 1, holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
    WHERE l.expires_at <= ${now}
    RETURNING epoch`;
  if (taken === undefined) {
    const [other] = await sql<{ holder: string }[]>`SELECT holder FROM leases WHERE name = ${name}`;
    return { heldBy: other?.holder ?? "unknown" };
  }
  const { epoch } = taken;
  let until = asked + duration - margin;
  return {
    epoch,
    holds: () => clock() < until,
    async renew() {
      asked = clock();
      // Once in doubt, always in doubt: another may have come and gone.
      if (asked >= until) return false;
      const renewed = await sql`
        UPDATE leases SET expires_at = ${now} + ${duration}
        WHERE name = ${name} AND epoch = ${epoch} AND holder = ${holder} AND expires_at > ${now}`;
      if (renewed.count === 0) until = Number.NEGATIVE_INFINITY;
      else until = asked + duration - margin;
      return renewed.count > 0;
    },
    async release() {
      until = Number.NEGATIVE_INFINITY;
      await sql`UPDATE leases SET expires_at = 0 WHERE name = ${name} AND epoch = ${epoch} AND holder = ${holder}`;
    },
  };
}
