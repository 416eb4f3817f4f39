import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { InputError } from "../input-error.ts";
import { JournalWriteError } from "../journal/writer.ts";
import { dieWithParent } from "../native.ts";

/** The program without its commands. Wrong use is reported as `penstock: message` and ends with code 2. */
export function createProgram(): Command {
  return new Command("penstock")
    .description(packageJson.description)
    .version(packageJson.version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "penstock: ")) });
}

/**
 * Runs one command to its end. Sets `process.exitCode` to 2 for wrong use or settings and to 1 for a failure; a command
 * may set it itself. Anything but an `InputError` is a bug and is left to crash with its stack.
 */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  // A package manager that is killed forwards no signal to us.
  if (process.env.npm_lifecycle_event) dieWithParent();
  // A reader such as `head` that has seen enough is no failure of ours.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`penstock: standard output cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version that were asked for end with 0; commander has printed its message already.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else if (error instanceof InputError || error instanceof JournalWriteError) {
      process.stderr.write(`penstock: ${error.message}\n`);
      process.exit(error instanceof InputError ? error.exitCode : 1);
    } else {
      throw error;
    }
  }
}
