import { backtestCommand } from "./command-line/backtest.ts";
import { configCommand } from "./command-line/config.ts";
import { dataCommand } from "./command-line/data.ts";
import { divergenceCommand } from "./command-line/divergence.ts";
import { doctorCommand } from "./command-line/doctor.ts";
import { exchangeCommand } from "./command-line/exchange.ts";
import { healthCommand } from "./command-line/health.ts";
import { inspectCommand } from "./command-line/inspect.ts";
import { modelsCommand } from "./command-line/models.ts";
import { createProgram, runProgram } from "./command-line/program.ts";
import { replayCommand } from "./command-line/replay.ts";
import { runCommand } from "./command-line/run.ts";
import { trainCommand } from "./command-line/train.ts";
import { MODELS_ARGUMENT } from "./models/process/protocol.ts";
import { NOTIFIER_ARGUMENT } from "./notify/report.ts";
import { EMBEDDED_ARGUMENT } from "./store/embedded/protocol.ts";

// The program is its own embedded database, process for models and reporter: the service starts itself again with these
// arguments.
if (process.argv[2] === EMBEDDED_ARGUMENT) {
  const { runEmbedded } = await import("./store/embedded/child.ts");
  await runEmbedded(process.argv[3]!);
} else if (process.argv[2] === MODELS_ARGUMENT) {
  const { runModelProcess } = await import("./models/process/child.ts");
  runModelProcess();
} else if (process.argv[2] === NOTIFIER_ARGUMENT) {
  const { runNotifier } = await import("./notify/child.ts");
  await runNotifier();
} else {
  await main();
}

async function main(): Promise<void> {
  const program = createProgram();
  backtestCommand(program);
  configCommand(program);
  dataCommand(program);
  divergenceCommand(program);
  doctorCommand(program);
  exchangeCommand(program);
  healthCommand(program);
  inspectCommand(program);
  modelsCommand(program);
  replayCommand(program);
  runCommand(program);
  trainCommand(program);

  await runProgram(program, process.argv);
  // Everything has been closed by now, but the database's client does not give up a connection that it is just opening
  // again; that one would keep the process for ever.
  process.stdout.write("", () => process.exit());
}
