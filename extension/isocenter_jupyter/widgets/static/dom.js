// Elements made in one line, and what every widget shows beside its own: errors, notes, what a screen reader says.

import { told } from "./connection.js";

const SVG = new Set(["svg", "g", "path", "rect", "line", "circle", "text", "polyline", "polygon", "title", "desc"]);

// h("button", {class: "iso-plain", onclick}, "Text", child): attributes, listeners (on…) and children.
export function h(name, attributes = {}, ...children) {
  const element = SVG.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A polite live region; say(text) makes a screen reader say it.
export function announcer(root) {
  const region = h("div", { class: "iso-unseen", role: "status", "aria-live": "polite" });
  root.append(region);
  return (text) => {
    region.textContent = text;
  };
}

export function error_box(error) {
  const [message, hint] = told(error);
  return h("div", { class: "iso-error", role: "alert" }, h("div", {}, h("b", {}, message), hint ? h("div", {}, hint) : null));
}

export function note(text, busy = false) {
  return h("div", { class: busy ? "iso-note iso-busy" : "iso-note" }, text);
}

export function bytes_text(count) {
  let size = count;
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (size < 1000 || unit === "TB") return `${size >= 100 || unit === "B" || unit === "kB" ? Math.round(size) : size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return "";
}

export function count_text(count) {
  return count.toLocaleString("en");
}

// Runs the last of many calls, after a pause.
export function debounced(work, pause = 250) {
  let timer = 0;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), pause);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
