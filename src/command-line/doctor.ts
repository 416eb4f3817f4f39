import type { Command } from "commander";
import { examine, type Finding, type Verdict } from "../service/doctor.ts";
import { type JsonTarget, jsonOption, print, setOption, settingsFrom, writeJson } from "./options.ts";

interface DoctorOptions {
  readonly symbols?: string;
  readonly probe: boolean;
  readonly set: readonly string[];
  readonly json?: JsonTarget;
}

const SIGNS: Readonly<Record<Verdict, readonly [sign: string, colour: number]>> = {
  ok: ["  ok", 32],
  warn: ["WARN", 33],
  fail: ["FAIL", 31],
  skip: ["   -", 90],
};

/** `penstock doctor`: looks at everything that a run depends on; exit code 1 when something would stop it. */
export function doctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check settings, keys, clock, exchange, stops, database, disk and memory, and say what to do")
    .option("--symbols <list>", "symbols that are to be traded, separated by commas; all without it")
    .option("--probe", "place one stop far from the market, which could only close, and cancel it", false)
    .addOption(setOption())
    .addOption(jsonOption("the findings"))
    .action(async ({ symbols, probe, set, json }: DoctorOptions) => {
      const { settings } = settingsFrom(set, true);
      const wanted = symbols?.split(",").map((symbol) => symbol.trim().toUpperCase());
      const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR;
      const show = (finding: Finding) => {
        if (json !== true) process.stdout.write(lineOf(finding, coloured));
      };
      const findings = await examine(settings, { symbols: wanted, probe }, show);
      const failures = findings.filter(({ verdict }) => verdict === "fail").length;
      const warnings = findings.filter(({ verdict }) => verdict === "warn").length;
      if (failures > 0) process.exitCode = 1;
      if (json !== undefined) await writeJson(json, { fit: failures === 0, failures, warnings, findings });
      if (json === true) return;
      const rest = warnings === 0 ? "" : ` ${warnings} to look at.`;
      await print(failures === 0 ? `\nFit to run.${rest}\n` : `\nNOT fit to run: ${failures} failed.${rest}\n`);
    });
}

function lineOf({ check, verdict, found, advice }: Finding, coloured: boolean): string {
  const [sign, colour] = SIGNS[verdict];
  const shown = coloured ? `\x1b[${colour}m${sign}\x1b[0m` : sign;
  return `${shown}  ${check.padEnd(16)} ${found}\n${advice === "" ? "" : `${" ".repeat(23)}-> ${advice}\n`}`;
}
