/** Text that is HTML already, as opposed to text that has to be escaped to become it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | false | undefined | readonly Content[];

/** HTML with its values escaped, for text and for quoted attributes alike; only `Markup` goes in as it is. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  let text = parts[0]!;
  contents.forEach((content, i) => {
    text += textOf(content) + parts[i + 1]!;
  });
  return new Markup(text);
}

function textOf(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (content === false || content === undefined) return "";
  if (typeof content === "object") return content.map(textOf).join("");
  return escaped(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A value as JSON that may stand inside of a script element: no text in it can end the element. */
export function json(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replace(/</g, "\\u003c"));
}
