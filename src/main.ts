import { backtestCommand } from "./command-line/backtest.ts";
import { configCommand } from "./command-line/config.ts";
import { dataCommand } from "./command-line/data.ts";
import { exchangeCommand } from "./command-line/exchange.ts";
import { inspectCommand } from "./command-line/inspect.ts";
import { createProgram, runProgram } from "./command-line/program.ts";
import { replayCommand } from "./command-line/replay.ts";
import { runCommand } from "./command-line/run.ts";
import { EMBEDDED_ARGUMENT } from "./store/embedded/protocol.ts";

// The program is its own embedded database: the service starts itself again with this argument.
if (process.argv[2] === EMBEDDED_ARGUMENT) {
  const { runEmbedded } = await import("./store/embedded/child.ts");
  await runEmbedded(process.argv[3]!);
} else {
  await main();
}

async function main(): Promise<void> {
  const program = createProgram();
  backtestCommand(program);
  configCommand(program);
  dataCommand(program);
  exchangeCommand(program);
  inspectCommand(program);
  replayCommand(program);
  runCommand(program);

  await runProgram(program, process.argv);
}
