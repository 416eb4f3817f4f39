/**
 * Makes an element. Text is always set as text, so that nothing that comes from outside can become markup.
 * @param {string} name with classes: `span.quiet`
 * @param {Record<string, any> | null} attributes listeners by `on…`, everything else as attribute; null and false leave out
 * @param {...any} children elements, texts and numbers, lists of them; null and false leave out
 * @returns {any}
 */
export function h(name, attributes = null, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className += ` ${value}`;
    else if (key === "value") /** @type {any} */ (element).value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {any} child */
function append(element, child) {
  if (child === null || child === undefined || child === false) return;
  if (Array.isArray(child)) for (const one of child) append(element, one);
  else element.append(child instanceof Node ? child : String(child));
}

/** @param {Element} element @param {...any} children */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * A table that stays in its place while its rows change. On a phone each row becomes a card: cells carry their heading.
 * @template T
 * @param {{ title: string, of: (row: T) => any, number?: boolean, wide?: boolean }[]} columns
 * @param {readonly T[]} rows
 * @param {{ empty: string, caption: string, onRow?: (row: T) => void }} options
 */
export function table(columns, rows, { empty, caption, onRow }) {
  if (rows.length === 0) return h("p.empty", null, empty);
  return h(
    ".scroll",
    { tabindex: "0", role: "group", "aria-label": caption },
    h(
      "table",
      null,
      h("caption.hidden", null, caption),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map(({ title, number }) => h("th", { scope: "col", class: number && "number" }, title)),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row) =>
          h(
            onRow ? "tr.link" : "tr",
            onRow
              ? {
                  onclick: () => onRow(row),
                  onkeydown: (/** @type {KeyboardEvent} */ event) => {
                    if (event.key === "Enter") onRow(row);
                  },
                  tabindex: "0",
                }
              : null,
            columns.map(({ title, of, number, wide }) =>
              h("td", { "data-title": title, class: number ? "number" : wide ? "wide" : null }, of(row)),
            ),
          ),
        ),
      ),
    ),
  );
}
