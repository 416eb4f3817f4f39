import { METRIC_SECTIONS } from "./catalogue.ts";

/** docs/metrics.md, made from the catalogue. */
export function metricsPage(): string {
  const page = [
    "# Metrics",
    "",
    "<!-- Made from src/telemetry/catalogue.ts by `bun run generate`. -->",
    "",
    "`GET /metrics` answers in the text format of Prometheus, with viewer rights (`Authorization: Bearer …`), or to anyone",
    "when ADMIN_METRICS_OPEN=true. Only what is listed here is ever emitted, and labels have no other values.",
  ];
  for (const [section, metrics] of Object.entries(METRIC_SECTIONS)) {
    page.push("", `## ${section}`, "", "| metric | type | labels | meaning |", "|---|---|---|---|");
    for (const [name, { type, labels, help }] of Object.entries(metrics)) {
      const values = Object.entries(labels ?? {}).map(([label, allowed]) => `\`${label}\`: ${allowed.join(", ")}`);
      page.push(`| \`${name}\` | ${type} | ${values.join("; ")} | ${help} |`);
    }
  }
  return `${page.join("\n")}\n`;
}
