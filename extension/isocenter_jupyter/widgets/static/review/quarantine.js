// What is kept back and does not leave whatever is accepted, by its reason.

import { count_text, h, note } from "../dom.js";

const SHOWN = 200;

export function quarantine_list(entries) {
  if (!entries.length) return note("Nothing is kept back");
  const reasons = new Map();
  for (const one of entries) reasons.set(one.reason, [...(reasons.get(one.reason) || []), one]);
  const groups = [...reasons].sort(([, a], [, b]) => b.length - a.length);
  return h("div", { class: "iso-review-kept" },
    note("These do not leave, whatever is accepted. Rules for pixels, or a choice of the plan, may clear them."),
    groups.map(([reason, ones]) =>
      h("details", { open: groups.length < 4 },
        h("summary", {}, h("b", {}, reason), h("span", { class: "iso-quiet" }, ` · ${count_text(ones.length)}`)),
        h("ul", {}, ones.slice(0, SHOWN).map((one) => h("li", {}, h("span", {}, one.label || "Object"), h("span", { class: "iso-quiet iso-mono" }, one.id)))),
        ones.length > SHOWN ? note(`and ${count_text(ones.length - SHOWN)} more`) : null)));
}
