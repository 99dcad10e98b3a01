// Elements of a page made in one line, and how counts, sizes and times are written.

const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "path", "circle"]);

/**
 * An element with attributes, listeners (`onclick`) and children; absent, null and false ones are left out.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | null | undefined | false | Array<Node | string | null>)} children
 * @returns {any}
 */
export function h(name, attributes = {}, ...children) {
  const element = SVG_NAMES.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button with a symbol alone: its label is for screen readers and the tooltip. */
export function symbol_button(symbol, label, onclick) {
  return h("button", { type: "button", class: "iso-symbol", title: label, "aria-label": label, onclick }, symbol_of(symbol));
}

const PATHS = {
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.6-3.9M12 1.2v3h-3",
  reset: "M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M5.5 3.5l-3 3 3 3",
  remove: "M4 4l8 8M12 4l-8 8",
  insert: "M3 4h10M3 8h4M3 12h4M11.5 7v6M8.5 10h6",
  snapshot: "M2.5 5h2.6l1-1.6h3.8l1 1.6h2.6v7.5h-11zM8 6.8a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  upload: "M8 10.5v-8M4.8 5.5L8 2.3l3.2 3.2M2.5 10v3.5h11V10",
};

/** A symbol in the colour of the text around it. */
export function symbol_of(name) {
  return h(
    "svg",
    { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", class: "iso-glyph" },
    h("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
  );
}

/** A line that says what to do where there is nothing to show. */
export function empty(text) {
  return h("p", { class: "iso-empty" }, text);
}

/** What went wrong and what to do about it. */
export function error_box(error) {
  return h(
    "div",
    { class: "iso-error", role: "alert" },
    h("div", {}, error?.message || String(error)),
    error?.hint ? h("div", { class: "iso-quiet" }, error.hint) : null,
  );
}

/** 1,204 */
export function count_text(count) {
  return Number(count).toLocaleString("en");
}

/** 1,204 and 1.2M: four characters or so */
export function short_text(count) {
  return Number(count) < 10_000 ? count_text(count) : Number(count).toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}

const PLURALS = { study: "studies", series: "series", instance: "instances", patient: "patients", file: "files" };

/** `1 study`, `1,204 studies` */
export function counted(count, noun) {
  return `${count_text(count)} ${Number(count) === 1 ? noun : (PLURALS[noun] ?? `${noun}s`)}`;
}

/** 12 kB, 3.4 MB */
export function bytes_text(count) {
  let size = Number(count);
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (size < 1000) return `${size >= 100 || unit === "B" ? Math.round(size) : size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} TB`;
}

/** `14:05` of today, else `3 Nov 2026`; seconds since 1970 */
export function time_text(seconds) {
  const time = new Date(seconds * 1000);
  const today = time.toDateString() === new Date().toDateString();
  if (today) return time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return time.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/**
 * Put new children where others are only when they differ, so that focus and selection stay.
 * @param {Element} element
 * @param {string} key what the children show
 * @param {() => Array<Node | string | null>} make
 */
export function show(element, key, make) {
  if (element.__shown === key) return;
  element.__shown = key;
  const held = element.contains(document.activeElement) ? document.activeElement.getAttribute("data-key") : null;
  element.replaceChildren(...make().filter(Boolean));
  if (held) element.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}
