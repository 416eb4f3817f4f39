import { Supervisor } from "../../src/supervision/supervisor.ts";

/** A program whose loop beats a few times and then never again, for blocked-loop.test.ts. Its arguments: log and API. */
const [log, api] = process.argv.slice(2) as [string, string];
const supervisor = new Supervisor({
  giveUp: 1000,
  log,
  notifier: { api, name: "penstock, simulated", target: { kind: "webhook", id: "1", token: "token" } },
  environment: process.env,
  onProblem: (text) => process.stderr.write(`${text}\n`),
  onRecovered: () => {},
});
supervisor.ready("trading");
supervisor.report({ kind: "line", weight: "important", text: "it begins" });
for (let i = 0; i < 3; i++) {
  supervisor.beat();
  await Bun.sleep(1);
}
for (;;) {
  // Nothing that this thread could be asked is heard any more.
}
