import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Authenticator } from "../../src/admin/authentication.ts";

const OPERATOR = "operator-token-of-the-test";
const VIEWER = "viewer-token-of-the-test";

const fresh = (viewer = VIEWER) => new Authenticator(OPERATOR, viewer);

describe("tokens", () => {
  test("give their role, and a name that is not the token", () => {
    const judged = fresh().token(OPERATOR, "a", 0);
    expect(judged).toMatchObject({ kind: "known", identity: { role: "operator" } });
    expect(fresh().token(VIEWER, "a", 0)).toMatchObject({ kind: "known", identity: { role: "viewer" } });
    expect(JSON.stringify(judged)).not.toContain(OPERATOR);
  });

  test("that are anything else are unknown, the empty one too where there are no viewers", () => {
    const authenticator = fresh("");
    expect(authenticator.token("", "b", 0)).toEqual({ kind: "unknown" });
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(text !== OPERATOR && text !== VIEWER);
        expect(fresh().token(text, "a", 0)).toEqual({ kind: "unknown" });
      }),
      { numRuns: 200 },
    );
  });

  test("ten wrong ones lock an address for a minute, the right one included, and no other address", () => {
    const authenticator = fresh();
    for (let i = 0; i < 10; i++) expect(authenticator.token(`wrong ${i}`, "a", i).kind).toBe("unknown");
    expect(authenticator.token(OPERATOR, "a", 20)).toEqual({ kind: "locked", retryAfter: 60_000 - 11 });
    expect(authenticator.token(OPERATOR, "b", 20).kind).toBe("known");
    expect(authenticator.token(OPERATOR, "a", 60_010).kind).toBe("known");
  });

  test("nine wrong ones and a right one begin anew", () => {
    const authenticator = fresh();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 9; i++) authenticator.token(`wrong ${i}`, "a", 0);
      expect(authenticator.token(OPERATOR, "a", 0).kind).toBe("known");
    }
  });

  test("the same wrong one again and again is a program with an old token, and locks nobody out", () => {
    const told: string[] = [];
    const authenticator = new Authenticator(OPERATOR, VIEWER, (address) => told.push(address));
    for (let i = 0; i < 1000; i++) expect(authenticator.token("an old token", "a", i).kind).toBe("unknown");
    expect(authenticator.token(OPERATOR, "a", 1000).kind).toBe("known");
    expect(told).toEqual([]);
    for (let i = 0; i < 50; i++) authenticator.token(`guess ${i}`, "a", 2000);
    expect(told).toEqual(["a"]);
  });
});

describe("sessions", () => {
  const identity = { role: "viewer", actor: "v" } as const;

  test("live while they are used and end after twelve idle hours, or when they are closed", () => {
    const authenticator = fresh();
    const id = authenticator.open(identity, 0);
    const hour = 3_600_000;
    expect(authenticator.session(id, 11 * hour)).toMatchObject(identity);
    expect(authenticator.session(id, 22 * hour)).toMatchObject(identity);
    expect(authenticator.session(id, 35 * hour)).toBeUndefined();
    const other = authenticator.open(identity, 0);
    authenticator.close(other);
    expect(authenticator.session(other, 1)).toBeUndefined();
    expect(authenticator.session("no such session", 1)).toBeUndefined();
  });

  test("end after a week, used or not", () => {
    const authenticator = fresh();
    const id = authenticator.open(identity, 0);
    const hour = 3_600_000;
    for (let at = 0; at < 168; at += 8) expect(authenticator.session(id, at * hour)).toMatchObject(identity);
    expect(authenticator.session(id, 168 * hour)).toBeUndefined();
  });

  test("are bounded: the oldest goes, and a viewer pushes no operator out", () => {
    const authenticator = fresh();
    const operator = authenticator.open({ role: "operator", actor: "o" }, 0);
    const ids = Array.from({ length: 300 }, () => authenticator.open(identity, 0));
    expect(new Set(ids).size).toBe(300);
    expect(ids.filter((id) => authenticator.session(id, 1) !== undefined)).toEqual(ids.slice(-128));
    expect(authenticator.session(operator, 1)).toMatchObject({ role: "operator" });
  });
});
