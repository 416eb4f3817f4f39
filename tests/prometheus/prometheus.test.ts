import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { METRIC_NAMES } from "../../src/telemetry/catalogue.ts";
import { grafanaDashboards } from "../../tools/grafana/dashboards.ts";
import { MAIN, temporaryFolder } from "../end-to-end/penstock.ts";

const ROOT = join(import.meta.dir, "..", "..");
const RULES = join(ROOT, "prometheus", "rules.yml");

/** The folder of prometheus and promtool (tools/prometheus.sh), which `.ci/run` sets. */
const programs = process.env.PENSTOCK_TEST_PROMETHEUS;
if (programs === undefined) {
  process.stderr.write("PENSTOCK_TEST_PROMETHEUS is not set: the tests with a real Prometheus are skipped\n");
}

/** Every expression that a dashboard or a rule asks, with where it stands. */
function expressions(): { where: string; expr: string }[] {
  const found: { where: string; expr: string }[] = [];
  for (const [name, text] of Object.entries(grafanaDashboards())) {
    for (const { title, targets = [] } of JSON.parse(text).panels) {
      for (const { expr } of targets) found.push({ where: `${name}: ${title}`, expr });
    }
  }
  for (const [, expr] of readFileSync(RULES, "utf8").matchAll(/^ +expr: (.+)$/gm))
    found.push({ where: "rules", expr: expr! });
  return found;
}

describe("dashboards and rules", () => {
  test("ask for metrics of the catalogue, and for nothing else", () => {
    const known = new Set(METRIC_NAMES.flatMap((name) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]));
    const asked = expressions();
    expect(asked.length).toBeGreaterThan(50);
    for (const { where, expr } of asked) {
      for (const [name] of expr.matchAll(/penstock_[a-z_]+/g)) expect(known.has(name), `${where}: ${name}`).toBe(true);
    }
  });

  test("show every metric of the catalogue somewhere, but for those that only explain others", () => {
    const text = expressions()
      .map(({ expr }) => expr)
      .join("\n");
    const unseen = METRIC_NAMES.filter((name) => !text.includes(name));
    expect(unseen).toEqual([
      "penstock_cycles_total",
      "penstock_cycle_absent_total",
      "penstock_last_bar_timestamp_seconds",
      "penstock_market_timestamp_seconds",
      "penstock_symbols",
      "penstock_unrealised_usdt",
      "penstock_open_orders",
      "penstock_opened_total",
      "penstock_stop_moves_total",
      "penstock_fills_total",
      "penstock_reconnects_total",
      "penstock_clock_offset_seconds",
      "penstock_predictions_total",
      "penstock_retraining_total",
      "penstock_store_connected",
      "penstock_store_rows_written",
      "penstock_database_pending",
      "penstock_conflated_total",
      "penstock_admin_clients",
    ]);
  });
});

describe.skipIf(programs === undefined)("a real Prometheus", () => {
  const folder = temporaryFolder();
  let trader: Bun.Subprocess<"ignore", "ignore", "pipe">;
  let prometheus: Bun.Subprocess<"ignore", "ignore", "pipe">;
  let target = "";
  let server = "";
  let token = "";

  const promtool = (args: readonly string[], input = "") => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([join(programs!, "promtool"), ...args], {
      stdin: Buffer.from(input),
    });
    return { exitCode, said: `${stdout}${stderr}` };
  };

  beforeAll(async () => {
    trader = Bun.spawn([process.execPath, MAIN, "run", "--speed", "600x"], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", DATA_DIR: join(folder, "data"), ADMIN_PORT: "0" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await read(trader.stderr, (text) => text.includes("#token=") && text.endsWith("\n"));
    [target, token] = /http:\/\/(\S+)\/#token=(\S+)/.exec(said)!.slice(1) as [string, string];
    writeFileSync(join(folder, "token"), token);
    // What users get, with our target, and quicker.
    const config = readFileSync(join(ROOT, "prometheus", "prometheus.yml"), "utf8")
      .replace("/run/secrets/penstock_viewer_token", join(folder, "token"))
      .replace('"penstock:8080"', `"${target}"`)
      .replace("rules.yml", RULES)
      .replaceAll("_interval: 15s", "_interval: 1s");
    writeFileSync(join(folder, "prometheus.yml"), config);
    prometheus = Bun.spawn(
      [
        join(programs!, "prometheus"),
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "tsdb")}`,
        "--web.listen-address=127.0.0.1:0",
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const log = await read(prometheus.stderr, (text) => /Listening on.*address=\S+/.test(text));
    server = `http://${/Listening on.*address=(\S+)/.exec(log)![1]}`;
  });

  afterAll(async () => {
    trader?.kill("SIGKILL");
    prometheus?.kill("SIGKILL");
    await Promise.all([trader?.exited, prometheus?.exited]);
  });

  async function read(stream: ReadableStream<Uint8Array>, enough: (text: string) => boolean): Promise<string> {
    const reader = stream.getReader();
    let text = "";
    while (!enough(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended: ${text}`);
      text += new TextDecoder().decode(value);
    }
    // What comes later must be read by somebody, or the pipe fills up.
    reader.releaseLock();
    void stream.pipeTo(new WritableStream());
    return text;
  }

  async function ask(
    expr: string,
  ): Promise<{ status: string; data: { result: { metric: object; value: [number, string] }[] } }> {
    const response = await fetch(`${server}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return (await response.json()) as never;
  }

  async function until(expr: string, holds: (value: number) => boolean): Promise<void> {
    for (;;) {
      const { data } = await ask(expr);
      if (data?.result.length > 0 && holds(Number(data.result[0]!.value[1]))) return;
      await Bun.sleep(100);
    }
  }

  test("finds nothing to complain of in the metrics of a run", async () => {
    const metrics = await fetch(`http://${target}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    expect(promtool(["check", "metrics"], await metrics.text())).toEqual({ exitCode: 0, said: "" });
  });

  test("accepts the rules, and each alert fires on what it is for", () => {
    expect(promtool(["check", "rules", RULES]).exitCode).toBe(0);
    const tested = promtool(["test", "rules", join(ROOT, "prometheus", "rules.test.yml")]);
    expect(tested.exitCode, tested.said).toBe(0);
    const names = [...readFileSync(RULES, "utf8").matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
    const tests = readFileSync(join(ROOT, "prometheus", "rules.test.yml"), "utf8");
    for (const name of names) expect(tests, name).toContain(`- name: ${name} fires`);
  });

  test("scrapes a run with the token, answers every expression, and no alert fires", async () => {
    await until('up{job="penstock"}', (value) => value === 1);
    await until('count_over_time(up{job="penstock"}[1h])', (value) => value >= 4);
    for (const { where, expr } of expressions()) {
      const answer = await ask(expr);
      expect([where, answer.status]).toEqual([where, "success"]);
    }
    const equity = await ask("penstock_equity_usdt");
    expect(Number(equity.data.result[0]!.value[1])).toBeGreaterThan(9000);
    const firing = (await ask('ALERTS{alertstate="firing"}')).data.result;
    expect(firing).toEqual([]);
  });
});
