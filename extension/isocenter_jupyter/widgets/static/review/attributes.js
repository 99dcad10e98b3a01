// What happens to each attribute: its distinct values before and after, what should be looked at first.

import { count_text, h, note } from "../dom.js";
import { choice } from "./choice.js";

const SHOWN = 4;
const MASK = "•••";
const HEADS = ["Decision", "Attribute", "Action", "Before", "After"];

export function attributes_table(rows, context) {
  if (!rows.length) return note("No attribute is like this");
  const head = h("thead", {}, h("tr", {}, HEADS.map((text) => h("th", { scope: "col" }, text))));
  const columns = h("colgroup", {}, HEADS.map((text) => h("col", { class: `iso-review-${text.toLowerCase()}` })));
  const table = h("table", { class: "iso-table iso-review-attributes" }, columns, head);
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

// The first values, a button for the others that are listed, and how many are not; masked ones are one line.
function values(entries, distinct = entries.length) {
  if (!entries.length) return h("span", { class: "iso-quiet" }, "–");
  const number = Math.max(distinct || 0, entries.length);
  if (entries.every(({ value }) => value === MASK)) return h("span", { class: "iso-quiet" }, `${MASK} ${number === 1 ? "" : `${count_text(number)} values`}`);
  const list = h("ul", { class: "iso-review-values" }, entries.slice(0, SHOWN).map(value_line));
  const left = entries.length - SHOWN;
  const rest = number - entries.length > 0 ? h("div", { class: "iso-quiet" }, `and ${count_text(number - entries.length)} that are not listed`) : null;
  if (left <= 0) return h("div", {}, list, rest);
  const more = h("button", { type: "button", class: "iso-review-unfold", onclick: () => {
    list.append(...entries.slice(SHOWN).map(value_line));
    more.remove();
  } }, `${count_text(left)} more`);
  return h("div", {}, list, more, rest);
}

function value_line({ value, count }) {
  const said = value === "" || value === null ? h("span", { class: "iso-quiet" }, "empty") : h("span", {}, String(value));
  return h("li", {}, said, count > 1 ? h("span", { class: "iso-quiet iso-review-times", title: `${count_text(count)} instances` }, `× ${count_text(count)}`) : null);
}
