import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { MODEL_COLUMNS } from "../../src/learning/dataset.ts";
import { writeTreesOnnx } from "../../src/models/onnx/write-trees.ts";
import { ModelProcess } from "../../src/models/process/model-process.ts";
import { MODELS_ARGUMENT } from "../../src/models/process/protocol.ts";
import { TREE_DEFAULTS, trainTrees } from "../../src/models/trees/train.ts";
import { agreeWithOnnxRuntime, treesModel } from "../../src/models/trees-model.ts";
import { availableKernels } from "../../src/native.ts";
import { randomNet, writeNet } from "../models/onnx/net.ts";
import { noisyRows } from "../models/trees/data.ts";
import { BinanceStandIn } from "../service/binance-stand-in.ts";

// .ci/run names the binary it has just compiled; one left from an earlier day would say nothing about these sources.
const binary = process.env.PENSTOCK_BINARY;

describe.skipIf(binary === undefined)("the compiled binary, in an empty folder and an empty environment", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "penstock-binary-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function penstock(...args: string[]) {
    const run = Bun.spawnSync([resolve(binary!), ...args], { cwd: folder, env: {} });
    return { code: run.exitCode, out: run.stdout.toString(), err: run.stderr.toString() };
  }

  test("prints its help", () => {
    const { code, out, err } = penstock("--help");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toStartWith("Usage: penstock");
  });

  test("prints its settings and leaves nothing behind", () => {
    const { code, out, err } = penstock("config", "--json");
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toContainEqual(expect.objectContaining({ name: "MAX_LEVERAGE", value: 20 }));
    expect(readdirSync(folder)).toEqual([]);
  });

  test("does not pick up a .env of the folder it runs in", () => {
    writeFileSync(join(folder, ".env"), "MAX_LEVERAGE=7\n");
    expect(JSON.parse(penstock("config", "--json").out)).toContainEqual(
      expect.objectContaining({ name: "MAX_LEVERAGE", value: 20, source: "default" }),
    );
  });

  test("ends with 2 for a wrong setting", () => {
    const { code, err } = penstock("config", "--set", "MAX_LEVERAGE=126");
    const message = "MAX_LEVERAGE=126 is not allowed; allowed: a whole number from 1 to 125 (×)";
    expect([code, err]).toEqual([2, `penstock: ${message}\n`]);
  });

  test("carries the kernels of this checkout, and trades alike with each", () => {
    const hashes = availableKernels().map(({ name }) => {
      const args = ["run", "--to", "2026-01-05T08:00", "--speed", "max", "--json"];
      const run = Bun.spawnSync([resolve(binary!), ...args], { cwd: folder, env: { PENSTOCK_KERNEL: name } });
      expect(run.exitCode, run.stderr.toString()).toBe(0);
      const { tradesHash, virtualTradesHash, report } = JSON.parse(run.stdout.toString());
      expect(report.signals).toBeGreaterThan(0);
      return `${tradesHash} ${virtualTradesHash}`;
    });
    expect(new Set(hashes).size).toBe(1);
  });

  test("serves models: trees, and in a process of its own whatever ONNX Runtime takes", async () => {
    const data = noisyRows(200, 4, 1);
    const { ensemble } = trainTrees(data, { ...TREE_DEFAULTS, trees: 5 });
    const runtime = new ModelProcess({
      memoryLimit: 1024,
      deadline: 20_000,
      loadDeadline: 60_000,
      command: [resolve(binary!), MODELS_ARGUMENT],
    });
    try {
      await agreeWithOnnxRuntime(ensemble, treesModel(ensemble), runtime, "a model");
      expect(await runtime.import(writeTreesOnnx(ensemble), data.names, "a file")).toMatchObject({ kind: "trees" });
      const mapped = readFileSync(`/proc/${runtime.pid}/maps`, "utf8");
      expect(mapped).toContain("libonnxruntime.so.1");
      // ONNX Runtime keeps what it would report to its makers in a database; there must be none.
      expect(mapped).not.toContain("onnxruntime.db");
    } finally {
      await runtime.close();
    }
  });

  test("asks a net by the thread that waits for it, before it reads any bars", () => {
    const logits = randomNet(MODEL_COLUMNS.length, 4, "none", 1);
    writeFileSync(
      join(folder, "net.onnx"),
      writeNet({ ...logits, output: { ...logits.output, bias: Float32Array.of(9) } }),
    );
    const { code, err } = penstock("models", "import", "net.onnx", "--data", "nowhere");
    expect(code).toBe(1);
    expect(err).toMatch(
      /net\.onnx: predicts [\d.]+ for row 0; probabilities are from 0 to 1: end the graph with Sigmoid/,
    );
  });

  test("extracts its library where only we can write, and replaces one that was tampered with", () => {
    const cache = mkdtempSync(join(folder, "cache-"));
    const config = () =>
      Bun.spawnSync([resolve(binary!), "config", "--json", "--set", `PENSTOCK_KERNEL=${fastest}`], {
        cwd: folder,
        env: { XDG_CACHE_HOME: cache },
      });
    const fastest = availableKernels().at(-1)!.name;
    const first = config();
    expect(first.exitCode, first.stderr.toString()).toBe(0);
    const [library] = [...new Bun.Glob("penstock/*/*.so").scanSync({ cwd: cache })].map((path) => join(cache, path));
    if (library === undefined) throw new Error("nothing was extracted");
    const modes = [join(cache, "penstock"), dirname(library), library].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o700, 0o700, 0o500]);
    const right = readFileSync(library);
    chmodSync(library, 0o700);
    writeFileSync(library, "no library");
    expect(config().exitCode).toBe(0);
    expect(readFileSync(library).equals(right)).toBe(true);
  });

  test("runs the paper trader with its analysis worker, and replays its journal", () => {
    const { code, out, err } = penstock(
      ...["run", "--to", "2026-01-05T08:00", "--speed", "max", "--html", "run.html", "--json"],
    );
    expect(code, err).toBe(0);
    const { signals, tradesHash, journal } = JSON.parse(out);
    expect(signals).toBeGreaterThan(0);
    expect(JSON.parse(penstock("replay", journal, "--json").out)).toMatchObject({ identical: true, tradesHash });
    // Style and script of the page are inside the binary.
    const page = readFileSync(join(folder, "run.html"), "utf8");
    for (const part of [tradesHash, "--paper:", "drawScene", "</html>"]) expect(page.includes(part)).toBe(true);
  });

  test("imports bars into its embedded store, and finds them again", () => {
    const bars = join(folder, "bars");
    mkdirSync(bars);
    const rows = [0, 1, 2, 5].map((minute) => `${1_735_689_600_000 + minute * 60_000},1,2,0.5,1.5,10`);
    const text = ["open_time,open,high,low,close,volume", ...rows, ""].join("\n");
    writeFileSync(join(bars, "made-AAAUSDT-1m.csv"), text);
    const imported = penstock("data", "import", "bars", "--json");
    expect(imported.err).toBe("");
    expect(JSON.parse(imported.out)).toMatchObject({ files: 1, bars: 4, added: 4 });
    expect(JSON.parse(penstock("data", "status", "--json").out)).toMatchObject([
      { symbol: "AAAUSDT", bars: 4, gaps: 1 },
    ]);
  });

  test("reads freqtrade's packed feather files, and writes Parquet", async () => {
    const name = "BTC_USDT_USDT-5m-futures.feather";
    mkdirSync(join(folder, "freqtrade"));
    copyFileSync(join(import.meta.dir, "..", "market", "freqtrade", name), join(folder, "freqtrade", name));
    const args = ["data", "export", "parquet", "--data", "freqtrade", "--format", "parquet", "--json"];
    const exported = penstock(...args);
    expect(exported.err).toBe("");
    expect(JSON.parse(exported.out)).toMatchObject({ files: 1, bars: 48 });
    const file = new Uint8Array(readFileSync(join(folder, "parquet", "BTCUSDT-5m-2025-01.parquet")));
    expect(await parquetReadObjects({ file: file.buffer })).toHaveLength(48);
  });

  test("downloads bars, checks and unpacks them", async () => {
    using standIn = new BinanceStandIn(Date.UTC(2025, 4, 1));
    const run = Bun.spawn(
      [resolve(binary!), "data", "download", "AUSDT", "--from", "2025-02-01", "--to", "2025-03-03", "--json"],
      {
        cwd: folder,
        env: { BINANCE_ARCHIVE_URL: standIn.url, BINANCE_REST_URL: standIn.url },
        stderr: "pipe",
      },
    );
    const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    expect([await run.exited, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toMatchObject({ files: 2, archiveFiles: 2, bars: 30 * 288, missing: [] });
  });
});
