import type { Command } from "commander";
import { replayJournal } from "../service/replay.ts";
import { type JsonTarget, jsonOption, print, writeJson } from "./options.ts";

interface ReplayOptions {
  readonly data?: string;
  readonly funding?: string;
  readonly rules?: string;
  readonly brackets?: string;
  readonly json?: JsonTarget;
}

/** `penstock replay FILE`: does this build decide as the run did? Exit code 0 when identical, 1 at the first difference. */
export function replayCommand(program: Command): void {
  program
    .command("replay")
    .description("feed a journal to the core again and compare every decision")
    .argument("<file>", "a journal, for example from penstock-data/journal/")
    .option("--data <dir>", "where the recorded bars are now; where the journal says, when absent")
    .option("--funding <file>", "where the funding rates of the run are now")
    .option("--rules <file>", "where the instrument rules of the run are now")
    .option("--brackets <file>", "where the leverage brackets of the run are now")
    .addOption(jsonOption("the result"))
    .action(async (file: string, options: ReplayOptions) => {
      const { result, header, journal, before, tradesHash, virtualTradesHash, trades } = replayJournal(file, {
        dir: options.data,
        fundingFile: options.funding,
        rulesFile: options.rules,
        bracketsFile: options.brackets,
      });
      if (!result.identical) process.exitCode = 1;
      if (options.json !== undefined)
        await writeJson(options.json, { ...result, journal, before, tradesHash, virtualTradesHash, trades });
      if (options.json === true) return;
      if (!result.identical) {
        return print(
          `DIFFERENT at record ${result.sequence} of ${journal}, ${new Date(result.time).toISOString()}\n` +
            `after     ${result.event}\nrecorded  ${result.recorded}\nreplayed  ${result.replayed}\n`,
        );
      }
      const cut = result.torn ? ` (the torn tail of ${result.bytesCut} bytes was left out)` : "";
      const unfinished = result.end === undefined ? "; the run did not end cleanly, compared as far as it goes" : "";
      const earlier = before.length === 0 ? "" : `goes on from ${before.join(", ")}, replayed first: identical\n`;
      await print(
        `identical${cut}${unfinished}\n${earlier}` +
          `${result.events} events, ${result.effects} effects, ${trades} trades of ${header.command} by build ${header.build}\n` +
          `tradesHash ${tradesHash}\nvirtualTradesHash ${virtualTradesHash}\n`,
      );
    });
}
