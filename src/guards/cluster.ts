import type { Guard } from "../core/guard.ts";

/** Refuses to open more than `maximum` positions that are the same bet: correlated by at least `correlation`. */
export function createClusterGuard(maximum: number, correlation: number): Guard {
  return {
    name: "cluster",
    judge({ candidate }, { positions }) {
      let alike = 0;
      for (const position of positions) {
        if (position.correlation * position.direction * candidate.direction >= correlation) alike += 1;
      }
      if (alike < maximum) return { kind: "allow" };
      return {
        kind: "veto",
        reason: "as many alike positions as MAX_CLUSTER_POSITIONS",
        numbers: { alike, maximum, correlation },
      };
    },
  };
}
