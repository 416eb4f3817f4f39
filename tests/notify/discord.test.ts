import { describe, expect, test } from "bun:test";
import { loadSettings } from "../../src/config/load.ts";
import { openDiscord } from "../../src/notify/discord.ts";
import { notifierOf } from "../../src/notify/target.ts";
import { DiscordStandIn } from "./discord-stand-in.ts";

const NAME = "penstock, simulated";
const target = (environment: Record<string, string>) => notifierOf(loadSettings(environment).settings, NAME);

const DAY = {
  day: "2026-11-21",
  start: 1000,
  end: 990,
  trades: 3,
  won: 1,
  fees: 1.25,
  drawdown: 0.02,
  curve: [1000, 990],
};

describe("a message", () => {
  test("goes to a webhook, with a picture of the day, and calls nobody", async () => {
    using discord = new DiscordStandIn();
    const problems: string[] = [];
    const post = openDiscord(target({ DISCORD_WEBHOOK: discord.webhook })!, (text) => problems.push(text));
    expect(await post({ text: "@everyone look", day: DAY })).toBe("sent");
    expect(problems).toEqual([]);
    const [posted] = discord.posted;
    expect(posted).toMatchObject({
      path: "/api/v10/webhooks/123/token-of-the-webhook",
      authorization: null,
      username: NAME,
      content: "@everyone look",
      allowed_mentions: { parse: [] },
    });
    expect(posted!.embeds[0]).toMatchObject({
      title: `${NAME}: 2026-11-21`,
      description: "1000.00 → 990.00 USDT (-1.00 %)\n3 trades, 1 won, fees 1.25 USDT\nlargest drawdown 2.00 %",
    });
    expect([...posted!.picture!.slice(1, 4)]).toEqual([..."PNG"].map((letter) => letter.charCodeAt(0)));
  });

  test("goes to a bot's channel", async () => {
    using discord = new DiscordStandIn();
    const bot = { DISCORD_TOKEN: "token-of-the-bot", DISCORD_CHANNEL: "77", DISCORD_API_URL: discord.api };
    expect(await openDiscord(target(bot)!, () => {})({ text: "hello" })).toBe("sent");
    expect(discord.posted[0]).toMatchObject({ path: "/api/v10/channels/77/messages", content: "hello" });
    expect(discord.posted[0]!.authorization).toBe("Bot token-of-the-bot");
  });

  test("waits as it is told when there were too many", async () => {
    const headers = { "retry-after": "0.05", "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "0.05" };
    const slower = Response.json({ message: "slower", retry_after: 0.05, global: false }, { status: 429, headers });
    using discord = new DiscordStandIn(slower);
    const post = openDiscord(target({ DISCORD_WEBHOOK: discord.webhook })!, () => {});
    expect(await post({ text: "once" })).toBe("sent");
    expect(discord.text).toBe("once");
  });

  test("that is refused or reaches nobody says so, without the token", async () => {
    const no = Response.json({ message: "Unknown Webhook", code: 10015 }, { status: 404 });
    using discord = new DiscordStandIn(no);
    const problems: string[] = [];
    const post = openDiscord(target({ DISCORD_WEBHOOK: discord.webhook })!, (text) => problems.push(text));
    expect(await post({ text: "lost" })).toBe("refused");
    discord[Symbol.dispose]();
    expect(await post({ text: "later" })).toBe("later");
    expect(problems).toEqual([
      "Discord refuses a report: 404 Unknown Webhook",
      expect.stringContaining("Discord cannot be reached: "),
    ]);
    expect(problems.join()).not.toContain("token-of-the-webhook");
  });
});

describe("settings of reports", () => {
  test("nothing asked for is nothing", () => expect(target({})).toBeUndefined());

  test("what Discord gives out is understood, with or without a version", () => {
    for (const version of ["", "/v10"]) {
      expect(target({ DISCORD_WEBHOOK: `https://discord.com/api${version}/webhooks/12/a-b_C` })).toEqual({
        api: "https://discord.com/api",
        name: NAME,
        target: { kind: "webhook", id: "12", token: "a-b_C" },
      });
    }
  });

  test("what cannot work ends the start, and the message holds no secret", () => {
    const wrong: [Record<string, string>, string][] = [
      [{ DISCORD_WEBHOOK: "https://discord.com/hush" }, "DISCORD_WEBHOOK is no address of a webhook"],
      [{ DISCORD_WEBHOOK: "http://discord.com/api/webhooks/1/hush" }, "DISCORD_WEBHOOK has to begin with https://"],
      [{ DISCORD_TOKEN: "hush" }, "DISCORD_TOKEN needs DISCORD_CHANNEL"],
      [{ DISCORD_TOKEN: "hush", DISCORD_CHANNEL: "general" }, 'it is "general"'],
    ];
    for (const [environment, message] of wrong) {
      let said = "";
      try {
        target(environment);
      } catch (error) {
        said = (error as Error).message;
      }
      expect(said).toContain(message);
      expect(said).not.toContain("hush");
    }
  });
});
