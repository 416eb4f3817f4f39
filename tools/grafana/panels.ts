import { DashboardBuilder, RowBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** One expression with the name of its line. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** A panel as we think of it: a title, what it means, a unit of Grafana's and its queries. */
export interface Panel {
  readonly title: string;
  readonly about: string;
  /** Grafana's name of a unit: `s`, `bytes`, `percentunit`, `short`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** A single large number instead of lines. */
  readonly single?: true;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const COLUMNS = 24;
const STAT = { width: 4, height: 4 };
const GRAPH = { width: 8, height: 8 };

/** A dashboard of rows, laid out from left to right; the data source is chosen by the reader. */
export function dashboard(uid: string, title: string, about: string, rows: readonly Row[]): string {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(["penstock"])
    .refresh("10s")
    .time({ from: "now-6h", to: "now" })
    .timezone("utc")
    .editable();
  let y = 0;
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).gridPos({ x: 0, y, w: COLUMNS, h: 1 }));
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const panel of row.panels) {
      const { width, height } = panel.single ? STAT : GRAPH;
      if (x + width > COLUMNS) {
        x = 0;
        y += tallest;
        tallest = 0;
      }
      builder.withPanel(panelOf(panel).gridPos({ x, y, w: width, h: height }));
      x += width;
      if (height > tallest) tallest = height;
    }
    y += tallest;
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function panelOf({ title, about, unit, queries, single }: Panel): StatBuilder | TimeseriesBuilder {
  const builder = single ? new StatBuilder() : new TimeseriesBuilder().fillOpacity(8).lineWidth(1.5);
  builder.title(title).description(about).unit(unit).datasource({ type: "prometheus", uid: "prometheus" });
  for (const { expr, legend } of queries) {
    builder.withTarget(new DataqueryBuilder().expr(expr).legendFormat(legend));
  }
  return builder;
}
