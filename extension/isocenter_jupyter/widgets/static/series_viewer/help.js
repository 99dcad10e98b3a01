// The keys, over the image.

import { h } from "../dom.js";
import { KEYS } from "./keys.js";

export function help_of(close) {
  const groups = KEYS.map(([title, rows]) =>
    h("section", {}, h("h4", {}, title), h("dl", {}, rows.flatMap(([keys, meaning]) => [h("dt", {}, keys), h("dd", {}, meaning)]))),
  );
  const button = h("button", { type: "button", class: "viewer-button viewer-close", "aria-label": "Close the help", onclick: close }, "✕");
  return h("div", { class: "viewer-help", role: "dialog", "aria-label": "Keys of the viewer", hidden: true }, button, h("div", { class: "viewer-keys" }, groups));
}
