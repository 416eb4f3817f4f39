import { DiscordAPIError, type RawFile, REST } from "@discordjs/rest";
import { Routes } from "discord-api-types/v10";
import { equityPicture } from "./equity-picture.ts";
import type { Message, Sent } from "./outbox.ts";
import type { DaySummary, NotifierStart } from "./report.ts";

/** An answer may take so long, ms, and a request that failed is repeated so often before it counts as failed. */
const TIMEOUT_MS = 10_000;
const RETRIES = 2;

const GREEN = 0x56c28a;
const RED = 0xe26d62;

/**
 * Messages to Discord, by a webhook or a bot. Its limits on requests are kept by the client, which waits as told.
 * @param onProblem told why a message was not taken, without anything secret
 */
export function openDiscord(
  { api, target, name }: NotifierStart,
  onProblem: (text: string) => void,
): (message: Message) => Promise<Sent> {
  const rest = new REST({ api, version: "10", timeout: TIMEOUT_MS, retries: RETRIES });
  if (target.kind === "bot") rest.setToken(target.token);
  const route =
    target.kind === "bot" ? Routes.channelMessages(target.channel) : Routes.webhook(target.id, target.token);
  const sender = target.kind === "bot" ? {} : { username: name };
  return async ({ text, day }) => {
    const files: RawFile[] =
      day === undefined
        ? []
        : [{ name: PICTURE, contentType: "image/png", data: equityPicture(day.curve, day.start) as Buffer }];
    const embeds = day === undefined ? [] : [embedOf(day, name)];
    // Nothing that the market or an error message says may call people.
    const body = { ...sender, content: text, embeds, allowed_mentions: { parse: [] } };
    try {
      await rest.post(route, { body, files, auth: target.kind === "bot" });
      return "sent";
    } catch (error) {
      if (error instanceof DiscordAPIError) {
        onProblem(`Discord refuses a report: ${error.status} ${error.message}`);
        return "refused";
      }
      // The address of a webhook holds its token: the error is named, not printed.
      onProblem(`Discord cannot be reached: ${(error as Error).name}`);
      return "later";
    }
  };
}

const PICTURE = "equity.png";

function embedOf(day: DaySummary, name: string) {
  const change = day.end - day.start;
  const percent = ((change / day.start) * 100).toFixed(2);
  const facts = [
    `${day.start.toFixed(2)} → ${day.end.toFixed(2)} USDT (${change < 0 ? "" : "+"}${percent} %)`,
    `${day.trades} trades, ${day.won} won, fees ${day.fees.toFixed(2)} USDT`,
    `largest drawdown ${(day.drawdown * 100).toFixed(2)} %`,
  ];
  return {
    title: `${name}: ${day.day}`,
    description: facts.join("\n"),
    color: change < 0 ? RED : GREEN,
    image: { url: `attachment://${PICTURE}` },
  };
}
