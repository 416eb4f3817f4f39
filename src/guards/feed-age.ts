import type { Guard } from "../core/guard.ts";

/** Refuses entries on prices that are older than `limit` ms: the decision came too late, or the feed stands still. */
export function createFeedAgeGuard(limit: number): Guard {
  return {
    name: "feed-age",
    judge(_, { barAge }) {
      if (barAge <= limit) return { kind: "allow" };
      const numbers = { age: barAge / 1000, limit: limit / 1000 };
      return { kind: "veto", reason: "the last bar is older than FEED_AGE_LIMIT", numbers };
    },
  };
}
