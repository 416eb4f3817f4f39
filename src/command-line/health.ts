import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import { print, setOption, settingsFrom } from "./options.ts";

/** Longer than this is no answer, ms. */
const PATIENCE = 5000;

/** `penstock health`: asks a running one whether its trading loop runs, for those who look after containers. */
export function healthCommand(program: Command): void {
  program
    .command("health")
    .description("ask the penstock that runs on this machine whether its trading loop runs; exit code 1 when not")
    .addOption(setOption())
    .action(async (options: { readonly set: readonly string[] }) => {
      const { ADMIN_HOST, ADMIN_PORT, ADMIN_TLS_CERT } = settingsFrom(options.set).settings;
      const everywhere = ADMIN_HOST === "0.0.0.0" || ADMIN_HOST === "::";
      const host = everywhere ? "127.0.0.1" : ADMIN_HOST.includes(":") ? `[${ADMIN_HOST}]` : ADMIN_HOST;
      const url = `${ADMIN_TLS_CERT === "" ? "http" : "https"}://${host}:${ADMIN_PORT}/healthz`;
      let answer: Response;
      try {
        // Its certificate is for the name that others know it by, and nothing secret is said here.
        const tls = { rejectUnauthorized: false };
        answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), tls });
      } catch (error) {
        throw new InputError(`${url}: no answer: ${(error as Error).message}`);
      }
      const { ok, error } = (await answer.json()) as { readonly ok?: boolean; readonly error?: string };
      if (ok !== true) throw new InputError(`${url}: ${error ?? `answers ${answer.status}`}`);
      await print("the trading loop runs\n");
    });
}
