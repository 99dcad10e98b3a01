// Facets: of each column its most frequent values, or a histogram whose range is dragged or typed.

import { count_text, h } from "../dom.js";
import { MASK, cell_text, is_time, time_text } from "./values.js";

const WIDTH = 196;
const TALL = 44;

export function facets_panel({ view, model, set, element }) {
  let shown = [];
  let held = false; // a range is being dragged: what is drawn stays until the pointer is up
  const list = h("div");
  const add = h("select", {
    "aria-label": "Add a facet",
    onchange: () => {
      if (add.value) set({ facets: [...model.get("facets"), add.value] });
    },
  });
  element.append(list, h("div", { class: "iso-cohort-add" }, add));

  const choose = (name, choice) => {
    const choices = { ...model.get("choices") };
    if (choice === null) delete choices[name];
    else choices[name] = choice;
    set({ choices, selected_uids: [] });
  };

  function redraw() {
    if (held) return;
    const top = element.scrollTop;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset?.key : null;
    list.replaceChildren(...shown.map(facet_element));
    const taken = new Set(model.get("facets"));
    const offered = [...view.infos.values()].filter((info) => !taken.has(info.name) && !info.name.startsWith("_") && (!info.masked || view.show));
    add.replaceChildren(h("option", { value: "" }, "Add a facet …"), ...offered.map((info) => h("option", { value: info.name }, info.name)));
    element.scrollTop = top;
    if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  function facet_element(facet) {
    const name = facet.column;
    const chosen = (model.get("choices") || {})[name];
    const hidden = view.infos.get(name)?.masked && !view.show;
    const remove = h("button", {
      type: "button",
      class: "iso-plain",
      "aria-label": `Remove the facet ${name}`,
      onclick: () => {
        const choices = { ...model.get("choices") };
        delete choices[name];
        set({ facets: model.get("facets").filter((one) => one !== name), choices });
      },
    }, "×");
    const head = h("div", { class: "iso-cohort-facet-head" }, h("span", { title: name }, name), remove);
    let body = h("div", { class: "iso-quiet" }, `${count_text(facet.distinct || 0)} values, masked`);
    if (!hidden) body = facet.bins ? histogram(facet, chosen) : values(facet, chosen);
    return h("section", { class: "iso-cohort-facet", "aria-label": name }, head, body);
  }

  function values(facet, chosen) {
    const name = facet.column;
    const picked = chosen?.values || [];
    const info = view.infos.get(name);
    const entries = facet.values.map(({ value, count }) => [value, cell_text(info, value), count]);
    if (facet.missing) entries.push([null, "no value", facet.missing]);
    for (const value of picked) if (!entries.some(([one]) => one === value)) entries.unshift([value, value === null ? "no value" : cell_text(info, value), 0]);
    const most = Math.max(1, ...entries.map(([, , count]) => count));
    const toggle = (value, on) => {
      const next = on ? [...picked, value] : picked.filter((one) => one !== value);
      choose(name, next.length ? { values: next } : null);
    };
    const rows = entries.map(([value, text, count]) => {
      const bar = h("span", { class: "iso-cohort-share", "aria-hidden": "true" });
      bar.style.width = `${(100 * count) / most}%`;
      return h(
        "label",
        { class: "iso-cohort-value", title: text },
        bar,
        h("input", { type: "checkbox", checked: picked.includes(value), "data-key": `${name}=${value}`, onchange: (event) => toggle(value, event.target.checked) }),
        h("span", { class: value === null ? "iso-quiet" : "" }, text),
        h("span", { class: "iso-quiet" }, count_text(count)),
      );
    });
    const left = facet.distinct - facet.values.length;
    const more = left > 0 ? h("div", { class: "iso-quiet iso-cohort-more" }, `${count_text(left)} more values, ${count_text(facet.other)} rows`) : null;
    if (!rows.length) return h("div", { class: "iso-quiet" }, "no rows");
    return h("div", {}, rows, more);
  }

  function histogram(facet, chosen) {
    const { bins, column: name } = facet;
    if (!bins.length) return h("div", { class: "iso-quiet" }, facet.missing ? "no values" : "no rows");
    const info = view.infos.get(name);
    const text = (value) => (is_time(info) ? time_text(value) : cell_text(info, value));
    const [low, high] = chosen?.range || [null, null];
    const most = Math.max(1, ...bins.map((bin) => bin.count));
    const step = WIDTH / bins.length;
    const inside = (bin) => (low === null || bin.high > low) && (high === null || bin.low <= high);
    const bars = bins.map((bin, index) => {
      const tall = bin.count ? Math.max(2, (TALL - 2) * Math.sqrt(bin.count / most)) : 0;
      const bar = h("rect", { x: index * step + 0.5, y: TALL - tall, width: Math.max(1, step - 1), height: tall, class: chosen && !inside(bin) ? "iso-cohort-out" : "iso-cohort-in" });
      bar.append(h("title", {}, `${text(bin.low)} to ${text(bin.high)}: ${count_text(bin.count)}`));
      return bar;
    });
    const brush = h("rect", { class: "iso-cohort-brush", y: 0, height: TALL, width: 0, x: 0 });
    const chart = h("svg", { viewBox: `0 0 ${WIDTH} ${TALL}`, class: "iso-cohort-chart", role: "img", "aria-label": `${name} from ${text(bins[0].low)} to ${text(bins[bins.length - 1].high)}, ${bins.length} intervals` }, ...bars, brush);
    const hold = (on) => {
      held = on;
      if (!on) redraw();
    };
    drag(chart, brush, hold, (first, last) => {
      const [from, to] = [first, last].map((x) => Math.min(bins.length - 1, Math.max(0, Math.floor((x / WIDTH) * bins.length))));
      choose(name, { range: [bins[from].low, bins[to].high] });
    });
    const field = (side, value, hint) => {
      const input = h("input", { type: "text", value: value === null ? "" : text(value), placeholder: text(hint), "aria-label": `${name} ${side}`, "data-key": `${name}-${side}` });
      input.addEventListener("keydown", (event) => event.stopPropagation());
      input.addEventListener("change", () => {
        const [a, b] = [...input.parentNode.querySelectorAll("input")].map((one) => bound(info, one.value));
        choose(name, a === null && b === null ? null : { range: [a, b] });
      });
      return input;
    };
    const fields = h("div", { class: "iso-cohort-range" }, field("from", low, bins[0].low), h("span", { "aria-hidden": "true" }, "–"), field("to", high, bins[bins.length - 1].high));
    const none = facet.missing ? h("div", { class: "iso-quiet iso-cohort-more" }, `${count_text(facet.missing)} without a value`) : null;
    return h("div", {}, chart, fields, none);
  }

  return {
    redraw,
    busy: (on) => element.setAttribute("aria-busy", String(on)),
    show(found) {
      shown = found;
      redraw();
    },
    choice_text(name, choice) {
      const info = view.infos.get(name);
      if (choice.values) return choice.values.map((value) => (value === null ? "no value" : cell_text(info, value) || MASK)).join(", ");
      const [low, high] = choice.range.map((value) => (value === null ? null : is_time(info) && typeof value === "number" ? time_text(value) : cell_text(info, value)));
      if (low === null) return `to ${high}`;
      return high === null ? `from ${low}` : `${low} – ${high}`;
    },
  };
}

// A typed bound: a number where the column has numbers, else text that Python checks.
function bound(info, text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (is_time(info)) return trimmed.replaceAll(":", "");
  const number = Number(trimmed.replace(",", "."));
  return /^(u?int|float|double)/.test(info?.type || "") && !Number.isNaN(number) ? number : trimmed;
}

function drag(chart, brush, hold, done) {
  const at = (event) => {
    const box = chart.getBoundingClientRect();
    return (Math.min(Math.max(event.clientX - box.left, 0), box.width) / box.width) * WIDTH;
  };
  chart.addEventListener("pointerdown", (down) => {
    chart.setPointerCapture(down.pointerId);
    hold(true);
    const start = at(down);
    const move = (event) => {
      const [a, b] = [start, at(event)].sort((x, y) => x - y);
      brush.setAttribute("x", a);
      brush.setAttribute("width", Math.max(1, b - a));
    };
    const up = (event) => {
      chart.removeEventListener("pointermove", move);
      chart.removeEventListener("pointerup", up);
      chart.removeEventListener("pointercancel", up);
      const range = [start, at(event)].sort((x, y) => x - y); // before the chart is drawn anew
      hold(false);
      if (event.type === "pointerup") done(...range);
    };
    chart.addEventListener("pointermove", move);
    chart.addEventListener("pointerup", up);
    chart.addEventListener("pointercancel", up);
    down.preventDefault();
  });
}
