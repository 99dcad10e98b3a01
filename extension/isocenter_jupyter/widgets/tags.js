// The tag browser: a tree grid (WAI-ARIA treegrid pattern, the grid keeps the focus) of rows made in Python.

import { connect } from "./static/connection.js";
import { announcer, count_text, debounced, error_box, h, note } from "./static/dom.js";
import { windowed } from "./static/windowed.js";

const HEIGHT = 26;
const TALL = [150, 420]; // of the grid, unless it is resized by hand
const MARK = { added: ["+", "added"], removed: ["−", "removed"], changed: ["≠", "changed"], same: ["", ""] };
let grids = 0;

function render({ model, el }) {
  const connection = connect(model);
  const state = {
    rows: [],
    titles: [],
    open: new Set(),
    seen: [],
    active: 0,
    search: "",
    only: false,
    show: Boolean(model.get("_show_identifiers")),
    two: false,
  };
  const name = `iso-tags-${(grids += 1)}`;
  el.classList.add("iso", "iso-tags");

  const search = h("input", {
    type: "search",
    placeholder: "Search tag, keyword or value",
    "aria-label": "Search tag, keyword or value",
    oninput: debounced(() => {
      state.search = search.value.trim().toLowerCase();
      refresh();
    }, 120),
    onkeydown: (event) => {
      if (event.key === "ArrowDown") {
        event.preventDefault();
        grid.focus();
      }
    },
  });
  const only = toggle("Only differences", () => {
    state.only = !state.only;
    refresh();
    return state.only;
  });
  const show = toggle("Show identifiers", () => {
    state.show = !state.show;
    load();
    return state.show;
  }, state.show);
  const unfold = h("button", { type: "button", onclick: () => fold(true) }, "Expand all");
  const shut = h("button", { type: "button", onclick: () => fold(false) }, "Collapse all");
  const head = h("div", { class: "iso-tags-head", role: "row" });
  const grid = h("div", {
    class: "iso-scroll iso-tags-grid",
    role: "treegrid",
    tabindex: "0",
    "aria-label": "Attributes",
    "aria-readonly": "true",
    onkeydown: on_key,
  });
  grid.append(h("div", { role: "rowgroup", class: "iso-tags-sticky" }, head));
  const list = windowed({ scroller: grid, height: HEIGHT, top: HEIGHT + 2 });
  const detail = h("div", { class: "iso-foot iso-tags-detail" });
  const bar = h("div", { class: "iso-bar" }, search, only, h("span", { class: "iso-push" }), unfold, shut, show);
  const body = h("div", {}, note("Reading the header …", true));
  el.replaceChildren(bar, body, detail);
  const say = announcer(el);
  load();

  function toggle(text, change, pressed = false) {
    const button = h("button", { type: "button", "aria-pressed": String(pressed) }, text);
    button.addEventListener("click", () => button.setAttribute("aria-pressed", String(change())));
    return button;
  }

  async function load() {
    try {
      const told = await connection.ask("rows", { show: state.show });
      Object.assign(state, { rows: told.rows, titles: told.titles, two: told.titles.length > 1 });
      only.hidden = !state.two;
      el.classList.toggle("iso-tags-two", state.two);
      body.replaceChildren(grid);
      draw_head();
      refresh();
    } catch (error) {
      body.replaceChildren(error_box(error));
    }
  }

  function draw_head() {
    const names = state.two ? ["", "Tag", "Name", "VR", state.titles[0], state.titles[1]] : ["Tag", "Name", "VR", "Value"];
    head.replaceChildren(
      ...names.map((text) => h("span", { role: "columnheader", title: text || null }, text || h("span", { class: "iso-unseen" }, "Change"))),
    );
  }

  // The rows that are to be seen: those that match and what they are inside of, or what is unfolded.
  function visible() {
    const wanted = (row) =>
      (!state.only || row.change !== "same") &&
      (!state.search ||
        `${row.tag} ${row.tag.replace(/[(),]/g, "")} ${row.name} ${row.value} ${row.other ?? ""}`.toLowerCase().includes(state.search));
    if (state.search || state.only) {
      const kept = new Set();
      for (const row of state.rows) {
        if (!wanted(row) || (state.only && row.inside && state.search === "" && row.change === "changed")) continue;
        const parts = row.path.split("/");
        for (let n = 1; n <= parts.length; n += 1) kept.add(parts.slice(0, n).join("/"));
      }
      return state.rows.filter((row) => kept.has(row.path)).map((row) => ({ ...row, unfolded: row.inside }));
    }
    const seen = [];
    let shut_depth = Infinity;
    for (const row of state.rows) {
      if (row.depth > shut_depth) continue;
      shut_depth = Infinity;
      const unfolded = row.inside && state.open.has(row.path);
      if (row.inside && !unfolded) shut_depth = row.depth;
      seen.push({ ...row, unfolded });
    }
    return seen;
  }

  function refresh(keep = null) {
    const path = keep ?? state.seen[state.active]?.path;
    state.seen = visible();
    state.active = Math.max(0, state.seen.findIndex((row) => row.path === path));
    grid.setAttribute("aria-rowcount", String(state.seen.length + 1));
    grid.classList.toggle("iso-tags-empty", state.seen.length === 0);
    fit();
    list.show(state.seen.length, row_element);
    activate(state.active, false);
    const differ = state.rows.filter((row) => row.change && row.change !== "same" && !row.inside).length;
    const parts = [`${count_text(state.seen.length)} of ${count_text(state.rows.length)} rows`];
    if (state.two) parts.push(differ ? `${count_text(differ)} differ` : "no differences");
    say(parts.join(", "));
  }

  let fitted = "";
  function fit() {
    if (grid.style.height !== fitted) return;
    const wanted = HEIGHT * state.seen.length + HEIGHT + 6;
    grid.style.height = `${Math.min(TALL[1], Math.max(TALL[0], wanted))}px`;
    fitted = grid.style.height;
  }

  function row_element(index) {
    const row = state.seen[index];
    const [sign, word] = MARK[row.change] || ["", ""];
    const fold_sign = row.inside ? h("span", { class: "iso-tags-fold", "aria-hidden": "true" }, row.unfolded ? "▾" : "▸") : null;
    const label = h("span", { role: "gridcell", class: "iso-tags-name", title: row.name }, fold_sign, row.name || h("span", { class: "iso-quiet" }, "unknown"));
    label.style.paddingLeft = `${row.depth * 14 + (row.inside ? 0 : 16)}px`;
    const values = [row.value, ...(state.two ? [row.other ?? ""] : [])].map((text, side) => {
      const missing = (side === 0 && row.change === "added") || (side === 1 && row.change === "removed");
      return h("span", { role: "gridcell", class: `iso-tags-value${missing ? " iso-quiet" : ""}`, title: text }, missing && row.tag ? "absent" : text);
    });
    const mark = state.two
      ? h("span", { role: "gridcell", class: "iso-tags-mark" }, h("span", { "aria-hidden": "true" }, sign), h("span", { class: "iso-unseen" }, word))
      : null;
    const element = h(
      "div",
      {
        role: "row",
        id: `${name}-${index}`,
        class: `iso-tags-row ${row.change ? `iso-tags-${row.change}` : ""} ${index === state.active ? "iso-tags-active" : ""}`,
        "aria-level": String(row.depth + 1),
        "aria-rowindex": String(index + 2),
        "aria-expanded": row.inside ? String(row.unfolded) : null,
        "aria-selected": String(index === state.active),
        onclick: () => activate(index),
        ondblclick: () => row.inside && set_open(row, !row.unfolded),
      },
      mark,
      h("span", { role: "gridcell", class: "iso-mono" }, row.tag),
      label,
      h("span", { role: "gridcell", class: "iso-quiet iso-mono" }, row.vr),
      values,
    );
    fold_sign?.addEventListener("click", (event) => {
      event.stopPropagation();
      activate(index);
      set_open(row, !row.unfolded);
    });
    return element;
  }

  function activate(index, reveal = true) {
    state.active = Math.min(Math.max(index, 0), Math.max(0, state.seen.length - 1));
    if (reveal) list.reveal(state.active);
    for (const element of list.space.children) {
      const chosen = element.id === `${name}-${state.active}`;
      element.classList.toggle("iso-tags-active", chosen);
      element.setAttribute("aria-selected", String(chosen));
    }
    if (state.seen.length) grid.setAttribute("aria-activedescendant", `${name}-${state.active}`);
    else grid.removeAttribute("aria-activedescendant");
    draw_detail();
  }

  function draw_detail() {
    const row = state.seen[state.active];
    if (!row) {
      const text = state.only && !state.search ? "The two headers are the same" : "Nothing matches";
      detail.replaceChildren(h("span", {}, state.rows.length ? text : ""));
      return;
    }
    const values = [row.value, ...(state.two ? [row.other ?? ""] : [])];
    const copy = h("button", { type: "button", disabled: !row.tag, title: "Copy the keyword (C)", onclick: () => copy_keyword(row) }, "Copy keyword");
    const about = h("b", {}, row.name || row.tag);
    const text = row.tag
      ? values.map((value, side) => h("span", { class: "iso-tags-whole" }, state.two ? h("i", {}, side ? "second " : "first ") : null, value || "empty"))
      : [];
    const why = row.masked && !state.show ? h("span", {}, "masked: Show identifiers") : null;
    detail.replaceChildren(about, h("span", { class: "iso-mono" }, `${row.tag} ${row.vr}`), ...text, ...(why ? [why] : []), h("span", { class: "iso-push" }), copy);
  }

  async function copy_keyword(row) {
    const text = /^[A-Za-z]\w*$/.test(row.name) ? row.name : row.tag;
    try {
      await navigator.clipboard.writeText(text);
      say(`Copied ${text}`);
    } catch {
      say("The browser does not let this page copy");
    }
  }

  function set_open(row, open) {
    if (open) state.open.add(row.path);
    else state.open.delete(row.path);
    refresh(row.path);
  }

  function fold(open) {
    state.open = new Set(open ? state.rows.filter((row) => row.inside).map((row) => row.path) : []);
    refresh();
  }

  function on_key(event) {
    const row = state.seen[state.active];
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: list.page(), PageUp: -list.page(), Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.metaKey || event.altKey || !row) return;
    if (event.key in moves) activate(state.active + moves[event.key]);
    else if (event.key === "ArrowRight") {
      if (row.inside && !row.unfolded) set_open(row, true);
      else if (row.inside) activate(state.active + 1);
    } else if (event.key === "ArrowLeft") {
      if (row.unfolded && !state.search && !state.only) set_open(row, false);
      else {
        const above = row.path.slice(0, Math.max(0, row.path.lastIndexOf("/")));
        const index = state.seen.findIndex((one) => one.path === above);
        if (index >= 0) activate(index);
      }
    } else if (event.key === "Enter" && row.inside) set_open(row, !row.unfolded);
    else if (event.key === "c") copy_keyword(row);
    else if (event.key === "/") search.focus();
    else return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has its own meaning for these keys
  }

  return () => {
    list.close();
    connection.close();
  };
}

export default { render };
