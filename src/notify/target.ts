import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import type { NotifierStart } from "./report.ts";

/** An address of a webhook: Discord's interface, then the webhook's number and token. */
const WEBHOOK = /^(https?:\/\/[^/?#]+(?:\/[^?#]*)?)\/webhooks\/(\d+)\/([\w-]+)\/?$/;

/**
 * Where the settings want reports to go, or undefined where nothing was asked for.
 * @throws InputError (exit 2) that names the setting and never its value, where that is a secret.
 */
export function notifierOf(settings: Settings, name: string): NotifierStart | undefined {
  const { DISCORD_WEBHOOK, DISCORD_TOKEN, DISCORD_CHANNEL, DISCORD_API_URL } = settings;
  if (DISCORD_WEBHOOK !== "") {
    // Discord itself gives out addresses without a version and this program names its own.
    const [, api, id, token] = WEBHOOK.exec(DISCORD_WEBHOOK.replace(/\/v\d+\/webhooks\//, "/webhooks/")) ?? [];
    if (api === undefined || id === undefined || token === undefined) {
      throw new InputError(
        "DISCORD_WEBHOOK is no address of a webhook: https://discord.com/api/webhooks/NUMBER/TOKEN",
        2,
      );
    }
    checkAddress("DISCORD_WEBHOOK", api);
    return { api, name, target: { kind: "webhook", id, token } };
  }
  if (DISCORD_TOKEN === "") return undefined;
  if (!/^\d+$/.test(DISCORD_CHANNEL)) {
    throw new InputError(`DISCORD_TOKEN needs DISCORD_CHANNEL, the number of a channel; it is "${DISCORD_CHANNEL}"`, 2);
  }
  const api = DISCORD_API_URL.replace(/\/$/, "");
  checkAddress("DISCORD_API_URL", api);
  return { api, name, target: { kind: "bot", token: DISCORD_TOKEN, channel: DISCORD_CHANNEL } };
}

function checkAddress(setting: string, address: string): void {
  const url = URL.parse(address);
  if (url === null) throw new InputError(`${setting} is no address`, 2);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol === "https:" || (url.protocol === "http:" && local)) return;
  throw new InputError(`${setting} has to begin with https://: the token would travel in the open`, 2);
}
