// The script of the report's page. Without it everything is readable but the candles; it adds these, cursors on the
// plots, sorting and the choice of light or dark. It writes text by textContent only, so nothing in it can be markup.

(() => {
  /**
   * @typedef {{ symbol: string, long: boolean, name: string, timeframe: number, from: number, tick: number,
   *   decimals: number, bars: (number[] | 0)[], signalAt: number, entryTime: number, exitTime: number, entry: number,
   *   exit: number, planned: number, stop: number, target: number, won: boolean,
   *   zones: { name: string, formedAt: number, top: number, bottom: number, cause: boolean }[],
   *   breaks: { name: string, swingAt: number, at: number, price: number }[] }} Scene
   * @typedef {{ time: number, open: number, high: number, low: number, close: number, volume: number }} Candle
   */

  /** @type {{ curve: [number, number, number, number][], scenes: Scene[] }} */
  const data = JSON.parse(document.getElementById("data")?.textContent ?? "{}");

  const figure = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  /** @param {number} value */
  const money = (value) => figure.format(value).replace("-", "−");
  /** @param {number} time */
  const minute = (time) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

  // Light or dark: the system's choice until the button is pressed; nothing is stored.
  const theme = document.querySelector("button.theme");
  if (theme instanceof HTMLButtonElement) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
    const show = () => {
      theme.textContent = isDark() ? "Light" : "Dark";
      theme.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
    };
    theme.removeAttribute("aria-pressed");
    theme.hidden = false;
    theme.addEventListener("click", () => {
      document.documentElement.dataset.theme = isDark() ? "light" : "dark";
      show();
    });
    dark.addEventListener("change", show);
    show();
  }

  // The cursor on equity and drawdown.
  const curve = document.querySelector(".curve");
  if (curve instanceof HTMLElement && data.curve.length > 0) {
    const [from, to] = [Number(curve.dataset.from), Number(curve.dataset.to)];
    const readout = curve.querySelector(".readout");
    const plots = [...curve.querySelectorAll(".plot")];
    const cursors = plots.map((plot) => {
      const cursor = document.createElement("i");
      cursor.className = "cursor";
      cursor.hidden = true;
      plot.append(cursor);
      return cursor;
    });
    let row = data.curve.length - 1;
    /** @param {number} next */
    const move = (next) => {
      row = Math.max(0, Math.min(data.curve.length - 1, next));
      const [time, equity, held, drawdown] = /** @type {[number, number, number, number]} */ (data.curve[row]);
      for (const cursor of cursors) {
        cursor.hidden = false;
        cursor.style.left = `${((time - from) / (to - from)) * 100}%`;
      }
      if (readout !== null) {
        readout.textContent = `${minute(time)} · equity ${money(equity)} · buy and hold ${money(held)} · drawdown ${(drawdown * 100).toFixed(1)}\u00a0%`;
      }
    };
    /** @param {number} time */
    const nearest = (time) => {
      let [low, high] = [0, data.curve.length - 1];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((data.curve[middle]?.[0] ?? 0) <= time) low = middle;
        else high = middle;
      }
      return time - (data.curve[low]?.[0] ?? 0) < (data.curve[high]?.[0] ?? 0) - time ? low : high;
    };
    for (const plot of plots) {
      plot.addEventListener("pointermove", (event) => {
        if (!(event instanceof PointerEvent)) return;
        const { left, width } = plot.getBoundingClientRect();
        move(nearest(from + ((event.clientX - left) / width) * (to - from)));
      });
    }
    curve.addEventListener("keydown", (event) => {
      const target = alongBy(event, row, data.curve.length);
      if (target !== undefined) move(target);
    });
  }

  /**
   * Where a key moves a cursor to; undefined for other keys.
   * @param {KeyboardEvent} event
   * @param {number} at
   * @param {number} length
   */
  function alongBy(event, at, length) {
    const stride = event.shiftKey ? 10 : 1;
    const target = { ArrowLeft: at - stride, ArrowRight: at + stride, Home: 0, End: length - 1 }[event.key];
    if (target !== undefined) event.preventDefault();
    return target;
  }

  // Tables that can be sorted.
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.querySelector("tbody");
    if (body === null) continue;
    table.querySelectorAll("thead th").forEach((heading, column) => {
      if (heading.textContent === "") return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = heading.getAttribute("aria-sort") !== "descending";
        for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => ({ row, value: valueIn(row.cells[column]) }));
        rows.sort((a, b) => {
          const order =
            typeof a.value === "number" && typeof b.value === "number"
              ? a.value - b.value
              : String(a.value) < String(b.value)
                ? -1
                : 1;
          return descending ? -order : order;
        });
        body.append(...rows.map(({ row }) => row));
      });
    });
  }

  /** @param {HTMLTableCellElement | undefined} cell */
  function valueIn(cell) {
    if (cell === undefined) return "";
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? -Infinity : Number(cell.dataset.v);
    const text = (cell.textContent ?? "").trim();
    const number = Number(text.replace("−", "-").replace(/[,+%\s]/g, ""));
    return text === "" || Number.isNaN(number) ? text : number;
  }

  // Trades on candles.
  const theatre = document.querySelector(".theatre");
  const scene = document.querySelector(".scene");
  const canvas = document.querySelector(".canvas");
  if (theatre instanceof HTMLElement && scene instanceof HTMLElement && canvas instanceof HTMLElement) {
    const readout = scene.querySelector(".readout");
    let shown = Number(theatre.dataset.start);
    let cursor = -1;
    /** @type {((bar: number) => void) | undefined} */
    let place;
    /** @type {(Candle | null)[]} */
    let candles = [];

    /** @param {number} bar */
    const point = (bar) => {
      cursor = Math.max(0, Math.min(candles.length - 1, bar));
      place?.(cursor);
      const candle = candles[cursor];
      const { decimals } = /** @type {Scene} */ (data.scenes[shown]);
      if (readout === null) return;
      if (!candle) readout.textContent = "no bar";
      else {
        const [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map((p) =>
          p.toFixed(decimals),
        );
        readout.textContent = `${minute(candle.time)} · open ${open} · high ${high} · low ${low} · close ${close}`;
      }
    };
    const draw = () => {
      const current = data.scenes[shown];
      if (current === undefined) return;
      candles = candlesOf(current);
      const picture = drawScene(current, candles, canvas.clientWidth);
      place = picture.place;
      canvas.replaceChildren(picture.svg);
      if (readout !== null) readout.textContent = `${current.symbol}, ${current.name} bars, times UTC`;
      picture.svg.addEventListener("pointermove", (event) => point(picture.barAt(event.offsetX)));
    };
    /** @param {number} next */
    const show = (next) => {
      shown = next;
      cursor = -1;
      for (const detail of document.querySelectorAll(".detail")) {
        if (detail instanceof HTMLElement) detail.hidden = Number(detail.dataset.scene) !== shown;
      }
      draw();
    };
    theatre.addEventListener("change", (event) => {
      if (event.target instanceof HTMLInputElement) show(Number(event.target.value));
    });
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a[data-show]") : null;
      if (!(link instanceof HTMLElement)) return;
      const input = document.querySelector(`input[name=scene][value="${link.dataset.show}"]`);
      if (!(input instanceof HTMLInputElement)) return;
      input.checked = true;
      show(Number(input.value));
      input.focus({ preventScroll: true });
    });
    scene.addEventListener("keydown", (event) => {
      const target = alongBy(event, cursor < 0 ? candles.length - 1 : cursor, candles.length);
      if (target !== undefined) point(target);
    });
    const checked = theatre.querySelector("input:checked");
    show(checked instanceof HTMLInputElement ? Number(checked.value) : shown);
    let width = canvas.clientWidth;
    new ResizeObserver(() => {
      if (canvas.clientWidth === width) return;
      width = canvas.clientWidth;
      draw();
    }).observe(canvas);
  }

  /**
   * @param {Scene} scene
   * @returns {(Candle | null)[]} prices in USDT
   */
  function candlesOf(scene) {
    let before = 0;
    return scene.bars.map((bar, i) => {
      if (bar === 0) return null;
      const [gap = 0, above = 0, beneath = 0, body = 0, volume = 0] = bar;
      const open = before + gap;
      const close = open + body;
      before = close;
      const price = (/** @type {number} */ ticks) => ticks * scene.tick;
      return {
        time: scene.from + i * scene.timeframe,
        open: price(open),
        high: price(Math.max(open, close) + above),
        low: price(Math.min(open, close) - beneath),
        close: price(close),
        volume,
      };
    });
  }

  /**
   * @param {string} name
   * @param {Record<string, string | number>} attributes
   * @param {string} [text]
   */
  function element(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /**
   * @param {Scene} scene
   * @param {(Candle | null)[]} candles
   * @param {number} width
   */
  function drawScene(scene, candles, width) {
    const narrow = width < 560;
    const height = narrow ? 340 : 460;
    const right = narrow ? 62 : 78;
    const [top, bottom, volumeHeight] = [14, 24, narrow ? 34 : 48];
    const plotWidth = width - right;
    const plotBottom = height - bottom;
    const seen = /** @type {Candle[]} */ (candles.filter((candle) => candle !== null));
    const levels = [scene.stop, scene.target, scene.entry, scene.exit];
    for (const zone of scene.zones) if (zone.cause) levels.push(zone.top, zone.bottom);
    for (const found of scene.breaks) levels.push(found.price);
    let low = Math.min(...levels, ...seen.map((candle) => candle.low));
    let high = Math.max(...levels, ...seen.map((candle) => candle.high));
    const room = (high - low) * 0.05 || high * 0.01;
    low -= room;
    high += room;
    const step = plotWidth / Math.max(1, candles.length);
    const end = scene.from + candles.length * scene.timeframe;
    const x = (/** @type {number} */ time) =>
      Math.max(0, Math.min(plotWidth, ((time - scene.from) / (end - scene.from)) * plotWidth));
    const y = (/** @type {number} */ price) =>
      top + ((high - price) / (high - low)) * (plotBottom - volumeHeight - top);
    const round = (/** @type {number} */ value) => Math.round(value * 100) / 100;

    const svg = /** @type {SVGSVGElement} */ (
      element("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "candles", role: "img" })
    );
    svg.append(element("title", {}, `${scene.symbol}: ${scene.name} candles with entry, stop, target and exit`));
    const defs = element("defs", {});
    const hatch = element("pattern", {
      id: "hatch",
      width: 7,
      height: 7,
      patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)",
    });
    hatch.append(element("line", { x1: 0, y1: 0, x2: 0, y2: 7, class: "hatch" }));
    defs.append(hatch);
    svg.append(defs);

    // Prices of the plan on the right, moved apart where they would cover each other.
    const tags = [
      { price: scene.target, text: "target", name: "tag target", level: 0 },
      { price: scene.entry, text: "entry", name: "tag entry", level: 0 },
      { price: scene.stop, text: "stop", name: "tag stop", level: 0 },
    ].sort((a, b) => b.price - a.price);
    tags.forEach((tag, i) => {
      tag.level = Math.max(y(tag.price), (tags[i - 1]?.level ?? -30) + 30);
    });

    // Prices and times.
    for (const price of ticksOf(low, high, narrow ? 5 : 7)) {
      svg.append(element("line", { x1: 0, x2: plotWidth, y1: round(y(price)), y2: round(y(price)), class: "grid" }));
      if (tags.some((tag) => Math.abs(tag.level - y(price)) < 20)) continue;
      svg.append(
        element("text", { x: plotWidth + 6, y: round(y(price) + 4), class: "label" }, price.toFixed(scene.decimals)),
      );
    }
    const hour = 3_600_000;
    const span = end - scene.from;
    const marks = [0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 120, 240, 720].map((hours) => hours * hour);
    const mark = marks.find((candidate) => span / candidate <= (narrow ? 4 : 9)) ?? 2160 * hour;
    for (let time = Math.ceil(scene.from / mark) * mark; time < end; time += mark) {
      const day = time % (24 * hour) === 0;
      if (x(time) < 20 || x(time) > plotWidth - 20) continue;
      svg.append(element("line", { x1: round(x(time)), x2: round(x(time)), y1: top, y2: plotBottom, class: "grid" }));
      svg.append(
        element(
          "text",
          { x: round(x(time)), y: height - 7, class: "label middle" },
          minute(time).slice(day ? 5 : 11, day ? 10 : 16),
        ),
      );
    }

    // What was known: zones from where they formed to the end of the trade, the break from its swing to its close.
    const [entryX, exitX] = [x(scene.entryTime), Math.max(x(scene.exitTime), x(scene.entryTime) + 3)];
    for (const zone of scene.zones) {
      if (zone.bottom > high || zone.top < low) continue;
      const [left, upper] = [x(zone.formedAt), y(Math.min(zone.top, high))];
      const box = {
        x: round(left),
        y: round(upper),
        width: round(Math.max(2, (zone.cause ? exitX : entryX) - left)),
        height: round(Math.max(1.5, y(Math.max(zone.bottom, low)) - upper)),
      };
      svg.append(element("rect", { ...box, class: zone.cause ? "zone cause" : "zone" }));
      if (zone.cause) svg.append(element("rect", { ...box, class: "cause-edge" }));
    }
    const names = element("g", {});
    for (const found of scene.breaks) {
      // What broke before the first bar is drawn up to the entry, and says so.
      const earlier = found.at + scene.timeframe <= scene.from;
      const [left, to] = earlier ? [0, entryX] : [x(found.swingAt), x(found.at + scene.timeframe)];
      const level = round(y(found.price));
      svg.append(element("line", { x1: round(left), x2: round(to), y1: level, y2: level, class: "break" }));
      if (!earlier) svg.append(element("circle", { cx: round(to), cy: level, r: 3, class: "break-end" }));
      const start = round(Math.max(4, Math.min(left, plotWidth - 150)));
      const text = earlier ? `${found.name}, earlier` : found.name;
      names.append(element("text", { x: start, y: level - 6, class: "label break-name" }, text));
    }

    // The plan while it was open.
    const zoneBox = (/** @type {number} */ a, /** @type {number} */ b, /** @type {string} */ name) =>
      element("rect", {
        x: round(entryX),
        y: round(Math.min(y(a), y(b))),
        width: round(exitX - entryX),
        height: round(Math.abs(y(a) - y(b))),
        class: name,
      });
    svg.append(zoneBox(scene.planned, scene.target, "reward"), zoneBox(scene.planned, scene.stop, "risk"));
    for (const [price, name] of /** @type {[number, string][]} */ ([
      [scene.target, "target-line"],
      [scene.stop, "stop-line"],
      [scene.entry, "entry-line"],
    ])) {
      svg.append(
        element("line", { x1: round(entryX), x2: plotWidth, y1: round(y(price)), y2: round(y(price)), class: name }),
      );
    }

    // Candles and volume.
    const body = Math.max(1, Math.min(11, step * 0.68));
    candles.forEach((candle, i) => {
      if (candle === null) return;
      const middle = (i + 0.5) * step;
      const up = candle.close >= candle.open;
      const [upper, lower] = [y(Math.max(candle.open, candle.close)), y(Math.min(candle.open, candle.close))];
      const group = element("g", { class: up ? "candle up" : "candle down" });
      group.append(
        element("path", {
          d: `M${round(middle)} ${round(y(candle.high))}V${round(upper)}M${round(middle)} ${round(lower)}V${round(y(candle.low))}`,
        }),
      );
      group.append(
        element("rect", {
          x: round(middle - body / 2),
          y: round(upper),
          width: round(body),
          height: round(Math.max(1, lower - upper)),
        }),
      );
      const volume = (candle.volume / 100) * (volumeHeight - 8);
      svg.append(
        element("rect", {
          x: round(middle - body / 2),
          y: round(plotBottom - volume),
          width: round(body),
          height: round(volume),
          class: "volume",
        }),
      );
      svg.append(group);
    });

    svg.append(names);

    // The signal bar, the way from entry to exit, and their marks in shapes of their own.
    const signalX = round(x(scene.signalAt - 1));
    svg.append(element("line", { x1: signalX, x2: signalX, y1: top, y2: plotBottom, class: "signal" }));
    svg.append(element("text", { x: signalX - 5, y: top + 8, class: "label end" }, "signal"));
    const [entryY, exitY] = [y(scene.entry), y(scene.exit)];
    svg.append(
      element("line", {
        x1: round(entryX),
        y1: round(entryY),
        x2: round(exitX),
        y2: round(exitY),
        class: scene.won ? "way gain" : "way loss",
      }),
    );
    const toward = scene.long ? 1 : -1;
    const base = entryY + toward * 13;
    svg.append(
      element("path", {
        d: `M${round(entryX)} ${round(entryY + toward * 3)}L${round(entryX - 6)} ${round(base)}H${round(entryX + 6)}Z`,
        class: "entry-mark",
      }),
    );
    svg.append(
      element("path", {
        d: `M${round(exitX - 5)} ${round(exitY - 5)}l10 10m0 -10l-10 10`,
        class: scene.won ? "exit-mark gain" : "exit-mark loss",
      }),
    );

    for (const tag of tags) {
      const { level } = tag;
      svg.append(
        element("rect", {
          x: plotWidth + 1,
          y: round(level - 14),
          width: right - 2,
          height: 28,
          rx: 3,
          class: tag.name,
        }),
      );
      svg.append(element("text", { x: plotWidth + 6, y: round(level - 2), class: "tag-name" }, tag.text));
      svg.append(
        element(
          "text",
          { x: plotWidth + 6, y: round(level + 10), class: "tag-price" },
          tag.price.toFixed(scene.decimals),
        ),
      );
    }

    const cursor = element("line", {
      y1: top,
      y2: plotBottom,
      x1: 0,
      x2: 0,
      class: "cursor-line",
      visibility: "hidden",
    });
    svg.append(cursor);
    return {
      svg,
      /** @param {number} offset */
      barAt: (offset) => Math.floor(offset / step),
      /** @param {number} bar */
      place: (bar) => {
        cursor.setAttribute("x1", String((bar + 0.5) * step));
        cursor.setAttribute("x2", String((bar + 0.5) * step));
        cursor.setAttribute("visibility", "visible");
      },
    };
  }

  /**
   * Round prices strictly within a range.
   * @param {number} low
   * @param {number} high
   * @param {number} count
   */
  function ticksOf(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
    const ticks = [];
    for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
    return ticks;
  }
})();
