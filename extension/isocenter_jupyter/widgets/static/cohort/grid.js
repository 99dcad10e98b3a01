// The rows: pages fetched as they come into view, selected by click, Shift and Space, sorted by their headers.

import { RequestFailed } from "../connection.js";
import { count_text, h } from "../dom.js";
import { windowed } from "../windowed.js";
import { MASK, cell_text, is_number } from "./values.js";

const HEIGHT = 27;
const PAGE = 100;
const KEPT = 40; // pages
const TICK = 34;
const MOST = 5000; // rows that are selected at once
let grids = 0;

export function rows_grid({ view, model, set, connection, opened, moved, failed, active: told_active }) {
  const name = `iso-cohort-${(grids += 1)}`;
  const key = model.get("_keys")[0];
  const state = { question: null, count: 0, active: 0, anchor: 0, columns: [], widths: "" };
  let pages = new Map();
  let loading = new Map();
  const head = h("div", { role: "row", class: "iso-cohort-head", "aria-rowindex": "1" });
  const element = h("div", {
    class: "iso-scroll iso-cohort-grid",
    role: "grid",
    tabindex: "0",
    "aria-label": "Rows",
    "aria-multiselectable": "true",
    "aria-readonly": "true",
    onkeydown: on_key,
  });
  element.append(h("div", { role: "rowgroup", class: "iso-cohort-sticky" }, head));
  const empty = h("div", { class: "iso-note", hidden: true }, "No rows satisfy this");
  const list = windowed({ scroller: element, height: HEIGHT, top: HEIGHT + 3, moved: seen });
  element.append(empty);

  function start(question, count) {
    Object.assign(state, { question, count, active: 0, anchor: 0 });
    element.scrollTop = 0;
    restart();
  }

  function restart() {
    for (const one of loading.values()) one.controller.abort();
    [pages, loading] = [new Map(), new Map()];
    draw_head();
    element.setAttribute("aria-rowcount", String(state.count + 1));
    empty.hidden = !state.question || state.count > 0;
    list.show(state.count, row_element);
    activate(state.active, false);
  }

  function columns_changed() {
    state.columns = model.get("columns");
    const width = (column) => {
      const info = view.infos.get(column);
      const least = Math.min(230, 62 + 7.3 * column.length);
      if (is_number(info)) return Math.max(86, least);
      if (/UID$/.test(column)) return 250;
      return Math.max(/^date/.test(info?.type || "") ? 100 : /Description$/.test(column) ? 200 : 120, least);
    };
    const widths = state.columns.map(width);
    state.widths = `${TICK}px ${widths.map((wide) => `minmax(${wide}px, ${wide}fr)`).join(" ")}`;
    const all = widths.reduce((sum, wide) => sum + wide, TICK);
    for (const part of [head, list.space]) part.style.minWidth = `${all}px`;
    if (state.question) restart();
    else draw_head();
  }

  function draw_head() {
    const order = model.get("order") || [];
    head.style.gridTemplateColumns = state.widths;
    const cells = state.columns.map((column) => {
      const at = order.findIndex(([one]) => one === column);
      const way = at < 0 ? null : order[at][1];
      const sign = way ? h("span", { "aria-hidden": "true", class: "iso-cohort-way" }, way === "asc" ? "▲" : "▼", order.length > 1 ? h("sub", {}, String(at + 1)) : null) : null;
      const info = view.infos.get(column);
      const title = `${column}${info?.about ? ` · ${info.about}` : ""}: click sorts, Shift-click sorts by this as well`;
      const button = h("button", { type: "button", title, onclick: (event) => sort(column, event.shiftKey) }, h("span", {}, column), sign);
      return h("span", { role: "columnheader", class: is_number(info) ? "iso-number" : null, "aria-sort": way ? (way === "asc" ? "ascending" : "descending") : "none" }, button);
    });
    head.replaceChildren(h("span", { role: "columnheader" }, h("span", { class: "iso-unseen" }, "Selected")), ...cells);
  }

  function sort(column, also) {
    const order = model.get("order") || [];
    const now = order.find(([one]) => one === column)?.[1];
    const next = now === undefined ? "asc" : now === "asc" ? "desc" : null;
    const others = also ? order.filter(([one]) => one !== column) : [];
    set({ order: next ? [...others, [column, next]] : others });
  }

  function page_of(index) {
    const number = Math.floor(index / PAGE);
    if (pages.has(number)) return pages.get(number);
    fetch_page(number);
    return null;
  }

  function fetch_page(number) {
    if (loading.has(number)) return loading.get(number).promise;
    const controller = new AbortController();
    const columns = [...new Set([...state.columns, ...model.get("_keys")])];
    const order = [...(model.get("order") || [])];
    if (order.length) order.push([key, "asc"]); // so that no page depends on how equals are sorted
    const question = { ...state.question, columns, order, limit: PAGE, offset: number * PAGE };
    const promise = connection
      .post_json("/api/tables/query", question, { accept: "application/x-ndjson", signal: controller.signal })
      .then((rows) => {
        if (controller.signal.aborted) return;
        loading.delete(number);
        pages.set(number, rows);
        if (pages.size > KEPT) pages.delete(pages.keys().next().value);
        failed(null);
        list.redraw();
        if (Math.floor(state.active / PAGE) === number) told_active(row_at(state.active));
      })
      .catch((error) => {
        loading.delete(number);
        if (error?.name !== "AbortError") failed(error);
      });
    loading.set(number, { controller, promise });
    return promise;
  }

  // Pages that scrolled by before they came are given up.
  function seen(first, last) {
    const wanted = [Math.floor(first / PAGE) - 1, Math.floor(last / PAGE) + 1];
    for (const [number, one] of loading) if (number < wanted[0] || number > wanted[1]) {
      one.controller.abort();
      loading.delete(number);
    }
    if (!state.question) return;
    const [top, rows] = [list.first(), list.rows()];
    moved(state.count ? `Rows ${count_text(top + 1)}–${count_text(Math.min(state.count, top + rows))} of ${count_text(state.count)}` : "");
  }

  function row_at(index) {
    return pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  function row_element(index) {
    const row = page_of(index)?.[index % PAGE];
    const picked = Boolean(row) && model.get("selected_uids").includes(row[key]);
    const cells = state.columns.map((column) => {
      const info = view.infos.get(column);
      const value = row?.[column];
      const masked = info?.masked && !view.show && value !== null && value !== undefined && value !== "";
      const text = row ? (masked ? MASK : cell_text(info, value)) : "";
      return h("span", { role: "gridcell", class: is_number(info) ? "iso-number" : null, title: text }, text);
    });
    const element = h(
      "div",
      {
        role: "row",
        id: `${name}-${index}`,
        class: `iso-cohort-row${row ? "" : " iso-cohort-wait"}${picked ? " iso-cohort-picked" : ""}${index === state.active ? " iso-cohort-active" : ""}`,
        "aria-rowindex": String(index + 2),
        "aria-selected": String(picked),
        onclick: (event) => on_click(event, index),
        ondblclick: () => open_at(index),
        onmousedown: (event) => (event.detail > 1 || event.shiftKey) && event.preventDefault(), // selects no text
      },
      h("span", { role: "gridcell", class: "iso-cohort-tick" }, h("span", { "aria-hidden": "true" }, picked ? "✓" : ""), h("span", { class: "iso-unseen" }, picked ? "selected" : "")),
      ...cells,
    );
    element.style.gridTemplateColumns = state.widths;
    return element;
  }

  function on_click(event, index) {
    const tick = event.target.closest(".iso-cohort-tick");
    activate(index);
    if (event.shiftKey) select_range(index);
    else if (event.ctrlKey || event.metaKey || tick) toggle(index);
    else select_only(index);
  }

  function select_only(index) {
    const row = row_at(index);
    state.anchor = index;
    if (row) set({ selected_uids: [row[key]] });
  }

  function toggle(index) {
    const row = row_at(index);
    state.anchor = index;
    if (!row) return;
    const now = model.get("selected_uids");
    set({ selected_uids: now.includes(row[key]) ? now.filter((uid) => uid !== row[key]) : [...now, row[key]] });
  }

  async function select_range(index) {
    const [first, last] = [state.anchor, index].sort((a, b) => a - b);
    if (last - first >= MOST) {
      failed(new RequestFailed(`At most ${count_text(MOST)} rows are selected one by one`, { hint: "narrow the table: without a selection all its rows are the cohort" }));
      return;
    }
    for (let number = Math.floor(first / PAGE); number <= Math.floor(last / PAGE); number += 1) if (!pages.has(number)) await fetch_page(number);
    const uids = [];
    for (let at = first; at <= last; at += 1) if (row_at(at)) uids.push(row_at(at)[key]);
    set({ selected_uids: uids });
  }

  function activate(index, reveal = true) {
    state.active = Math.min(Math.max(index, 0), Math.max(0, state.count - 1));
    if (reveal) list.reveal(state.active);
    mark();
    if (state.count) element.setAttribute("aria-activedescendant", `${name}-${state.active}`);
    else element.removeAttribute("aria-activedescendant");
    told_active(row_at(state.active));
  }

  function mark() {
    const picked = new Set(model.get("selected_uids"));
    for (const one of list.space.children) {
      const index = Number(one.id.slice(name.length + 1));
      const chosen = picked.has(row_at(index)?.[key]);
      one.classList.toggle("iso-cohort-active", index === state.active);
      one.classList.toggle("iso-cohort-picked", chosen);
      one.setAttribute("aria-selected", String(chosen));
      one.firstChild.firstChild.textContent = chosen ? "✓" : "";
      one.firstChild.lastChild.textContent = chosen ? "selected" : "";
    }
  }

  function open_at(index) {
    const row = row_at(index);
    if (row) opened(row);
  }

  function on_key(event) {
    if (event.target !== element) {
      if (event.key !== "Tab") event.stopPropagation();
      return;
    }
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: list.page(), PageUp: -list.page(), Home: -Infinity, End: Infinity };
    if (event.key in moves && !event.ctrlKey && !event.metaKey) {
      activate(state.active + moves[event.key]);
      if (event.shiftKey) select_range(state.active);
    } else if (event.key === " ") event.shiftKey ? select_range(state.active) : toggle(state.active);
    else if (event.key === "Enter") open_at(state.active);
    else if (event.key === "Escape") set({ selected_uids: [] });
    else if (event.key === "ArrowRight") element.scrollLeft += 80;
    else if (event.key === "ArrowLeft") element.scrollLeft -= 80;
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  state.columns = model.get("columns");
  columns_changed();
  return {
    element,
    start,
    restart,
    columns_changed,
    mark,
    redraw: () => list.redraw(),
    open_active: () => open_at(state.active),
    focus: () => element.focus(),
    close() {
      for (const one of loading.values()) one.controller.abort();
      list.close();
    },
  };
}
