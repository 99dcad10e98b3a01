// What happens to each attribute: its distinct values before and after, what should be looked at first.

import { count_text, h, note } from "../dom.js";
import { choice } from "./choice.js";

const SHOWN = 6;
const HEADS = ["Decision", "Attribute", "Action", "Before", "After"];

export function attributes_table(rows, context) {
  if (!rows.length) return note("No attribute is like this");
  const head = h("thead", {}, h("tr", {}, HEADS.map((text) => h("th", { scope: "col" }, text))));
  const table = h("table", { class: "iso-table iso-review-attributes" }, head);
  const flagged = rows.filter((one) => one.flag);
  const others = rows.filter((one) => !one.flag);
  if (flagged.length) table.append(group(`To look at · ${count_text(flagged.length)}`, flagged, context, flagged.length && others.length));
  if (others.length) table.append(group(`All others · ${count_text(others.length)}`, others, context, flagged.length));
  return table;
}

function group(title, rows, context, titled) {
  const heading = titled ? h("tr", { class: "iso-review-group" }, h("th", { colspan: HEADS.length, scope: "rowgroup" }, title)) : null;
  return h("tbody", {}, heading, rows.map((one) => row(one, context)));
}

function row(one, context) {
  const decision = context.decisions()[one.tag];
  const flag = one.flag ? h("span", { class: "iso-review-flag", title: "Should be looked at" }, "⚑ ", h("span", { class: "iso-unseen" }, "should be looked at: ")) : null;
  return h("tr", { "data-key": one.tag, class: decision ? `iso-review-is-${decision}` : "" },
    h("td", {}, choice(one.tag, one.name, context)),
    h("td", {}, h("div", {}, flag, h("b", {}, one.name || one.tag)), h("div", { class: "iso-quiet iso-mono" }, one.tag), one.note ? h("div", { class: "iso-review-said" }, one.note) : null),
    h("td", {}, h("span", { class: `iso-review-action iso-review-${(one.action || "").replaceAll(" ", "-")}` }, one.action || "")),
    h("td", {}, values(one.before || [], one.distinct)),
    h("td", {}, one.action === "remove" ? h("span", { class: "iso-quiet" }, "removed") : values(one.after || [])));
}

function values(entries, distinct = entries.length) {
  if (!entries.length) return h("span", { class: "iso-quiet" }, distinct ? `${count_text(distinct)} values` : "empty");
  const shown = entries.slice(0, SHOWN).map(({ value, count }) =>
    h("li", {}, value === "" || value === null ? h("span", { class: "iso-quiet" }, "empty") : h("span", {}, String(value)), count ? h("span", { class: "iso-quiet iso-review-times", title: `${count_text(count)} instances` }, `× ${count_text(count)}`) : null));
  const left = Math.max(distinct, entries.length) - shown.length;
  return h("div", {}, h("ul", { class: "iso-review-values" }, shown), left > 0 ? h("div", { class: "iso-quiet" }, `and ${count_text(left)} more`) : null);
}
