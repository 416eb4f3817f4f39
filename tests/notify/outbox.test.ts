import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Message, Outbox, type Sent } from "../../src/notify/outbox.ts";
import type { Report } from "../../src/notify/report.ts";

const line = (text: string, weight: "routine" | "important" | "alarm" = "routine"): Report => ({
  kind: "line",
  weight,
  text,
});
const NEVER = 2 ** 30;

/** An outbox whose messages are kept; `answer` says what becomes of each. */
function outbox(gap: number, answer: (message: Message) => Sent = () => "sent") {
  const posted: Message[] = [];
  const post = async (message: Message) => {
    posted.push(message);
    return answer(message);
  };
  return { posted, box: new Outbox({ post, gap, retry: NEVER }) };
}

describe("reports on their way", () => {
  test("the first goes at once, the next ones gather until the gap is over or an alarm comes", async () => {
    const { posted, box } = outbox(NEVER);
    box.add(line("one"));
    await Promise.resolve();
    box.add(line("two"));
    box.add(line("three", "important"));
    await Promise.resolve();
    expect(posted.map(({ text }) => text)).toEqual(["one"]);
    box.add(line("fire", "alarm"));
    await box.drain();
    expect(posted.map(({ text }) => text)).toEqual(["one", "two\nthree\n**ALARM** fire"]);
  });

  test("whatever comes, messages are short, in order, and nothing important is lost", async () => {
    const weights = fc.constantFrom("routine" as const, "important" as const);
    const texts = fc.array(fc.tuple(weights, fc.string({ minLength: 1, maxLength: 500, unit: "grapheme-ascii" })), {
      maxLength: 50,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (lines) => {
        const { posted, box } = outbox(0);
        const named = lines.map(([weight, text], index) => [weight, `${index}:${text}`] as const);
        for (const [weight, text] of named) box.add(line(text, weight));
        await box.drain();
        for (const { text } of posted) expect(text.length).toBeLessThanOrEqual(2000);
        const all = posted.map(({ text }) => text).join("\n");
        let at = 0;
        for (const [, text] of named) {
          at = all.indexOf(text.trimEnd(), at);
          expect(at).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("too many routine lines are counted instead of said; the others stay", async () => {
    const { posted, box } = outbox(NEVER);
    box.add(line("first"));
    box.add(line("trading is cautious", "important"));
    for (let i = 0; i < 200; i++) box.add(line(`routine ${i}`));
    box.add(line("trading is halted", "important"));
    await box.drain();
    const text = posted.map((message) => message.text).join("\n");
    expect(text).toContain("trading is cautious");
    expect(text).toContain("trading is halted");
    expect(text).toMatch(/\(1[34]\d more were left out\)$/);
    expect(text).not.toContain("routine 10\n");
    expect(text).toContain("routine 199");
  });

  test("what reached nobody is sent again with what came since; what was refused is not", async () => {
    let answers: Sent[] = ["later", "refused", "sent"];
    const { posted, box } = outbox(0, () => answers.shift() ?? "sent");
    box.add(line("one", "important"));
    await Promise.resolve();
    box.add(line("fire", "alarm"));
    await box.drain();
    expect(posted.map(({ text }) => text)).toEqual(["one", "one\n**ALARM** fire"]);
    answers = [];
    box.add(line("two"));
    await box.drain();
    expect(posted.at(-1)!.text).toBe("two");
  });

  test("an end does not wait for somebody who cannot be reached", async () => {
    const { posted, box } = outbox(0, () => "later");
    box.add(line("last words", "alarm"));
    await box.drain();
    expect(posted.length).toBeLessThanOrEqual(2);
  });
});
