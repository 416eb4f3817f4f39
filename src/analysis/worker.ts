import { Panel } from "../market/panel.ts";
import { AnalysisEngine } from "./engine.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

/** The analysis thread: reads the shared panel, answers each cycle with an analysis event. */
declare const self: Worker;

let engine: AnalysisEngine | undefined;

function answer(message: FromWorker): void {
  self.postMessage(message);
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "start") {
    engine = new AnalysisEngine(Panel.attach(data.panel), data.options);
    return answer({ kind: "ready" });
  }
  if (engine === undefined) throw new Error(`the analysis worker got "${data.kind}" before "start"`);
  if (data.kind === "analyse") return answer({ kind: "analysed", event: engine.analyse(data.cycle, data.late) });
  for (let cycle = data.from; cycle <= data.to; cycle += data.every) engine.advance(cycle);
  answer({ kind: "ready" });
};
