import { SETTING_NAMES, SETTINGS, type Settings } from "../config/settings.ts";

/** What stands in place of a secret. */
export const HIDDEN = "(secret)";

/** Shorter ones would be found in ordinary words; nobody's token is that short. */
const SHORTEST = 4;

/**
 * Takes secrets out of a text, wherever in it they are: as they were given, as JSON or an address would write them, and
 * the password within an address. The last thing before a text leaves the process, so that it does not matter who wrote it.
 */
export function redactor(settings: Settings, more: readonly string[] = []): (text: string) => string {
  const secrets = SETTING_NAMES.filter((name) => SETTINGS[name].type === "secret").map((name) =>
    String(settings[name]),
  );
  const forms = [...secrets, ...more].flatMap((secret) => [secret, ...within(secret)]).flatMap(writings);
  // The longest first: a part that is replaced would hide the whole from being found.
  const hidden = [...new Set(forms)].filter((text) => text.length >= SHORTEST).sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return (text) => text;
  return (text) =>
    hidden.reduce((left, secret) => (left.includes(secret) ? left.replaceAll(secret, HIDDEN) : left), text);
}

/** Lines of a key, whose heading is no secret. */
const KEY_LINE = 16;

/** The password of an address, the last part of its path, which is the token of a webhook, and the lines of a key. */
function within(secret: string): string[] {
  const lines = secret.split("\n");
  if (lines.length > 1) return lines.filter((line) => line.length >= KEY_LINE && !line.startsWith("-----"));
  const address = URL.parse(secret);
  if (address === null) return [];
  const last = address.pathname.split("/").at(-1) ?? "";
  return address.protocol.startsWith("http") ? [address.password, last] : [address.password];
}

function writings(secret: string): string[] {
  const texts = secret.includes("%") ? [secret, decode(secret)] : [secret];
  return texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text)]);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign of its own: the text is no encoding of another.
    return text;
  }
}
