import { backtestCommand } from "./command-line/backtest.ts";
import { configCommand } from "./command-line/config.ts";
import { inspectCommand } from "./command-line/inspect.ts";
import { createProgram, runProgram } from "./command-line/program.ts";
import { replayCommand } from "./command-line/replay.ts";
import { runCommand } from "./command-line/run.ts";

const program = createProgram();
backtestCommand(program);
configCommand(program);
inspectCommand(program);
replayCommand(program);
runCommand(program);

await runProgram(program, process.argv);
