/** What Discord was sent, one entry per message. */
export interface Posted {
  readonly path: string;
  readonly authorization: string | null;
  readonly username?: string;
  readonly content: string;
  readonly embeds: readonly { readonly title: string; readonly description: string }[];
  readonly picture: Uint8Array | undefined;
}

/** Discord's interface on a port of this machine. */
export class DiscordStandIn {
  readonly posted: Posted[] = [];
  readonly #answers: Response[];
  readonly #server: ReturnType<typeof Bun.serve>;
  #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];

  /** @param answers what the first requests get; all others are accepted */
  constructor(...answers: Response[]) {
    this.#answers = answers;
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#take(request) });
  }

  get api(): string {
    return `http://127.0.0.1:${this.#server.port}/api`;
  }

  get webhook(): string {
    return `${this.api}/webhooks/123/token-of-the-webhook`;
  }

  get text(): string {
    return this.posted.map(({ content }) => content).join("\n");
  }

  /** Resolves as soon as it holds after some message. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ holds, resolve }));
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }

  async #take(request: Request): Promise<Response> {
    const isForm = request.headers.get("content-type")?.startsWith("multipart/form-data");
    const form = isForm ? await request.formData() : undefined;
    const file = form?.get("files[0]");
    const body = form === undefined ? await request.json() : JSON.parse(String(form.get("payload_json")));
    const answer = this.#answers.shift();
    if (answer !== undefined) return answer;
    this.posted.push({
      path: new URL(request.url).pathname,
      authorization: request.headers.get("authorization"),
      ...body,
      picture: file instanceof Blob ? await file.bytes() : undefined,
    });
    this.#waiting = this.#waiting.filter(({ holds, resolve }) => {
      if (!holds()) return true;
      resolve();
      return false;
    });
    return Response.json({ id: "1" });
  }
}
