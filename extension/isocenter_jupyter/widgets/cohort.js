// The cohort table: pages of a query that Python made of what is chosen here.

import { columns_panel } from "./static/cohort/columns.js";
import { facets_panel } from "./static/cohort/facets.js";
import { rows_grid } from "./static/cohort/grid.js";
import { connect, told } from "./static/connection.js";
import { announcer, count_text, debounced, error_box, h } from "./static/dom.js";

function render({ model, el }) {
  const connection = connect(model);
  const level = model.get("_level");
  const plural = { study: "studies", series: "series", instance: "instances" }[level];
  const view = { show: Boolean(model.get("_show_identifiers")), infos: new Map(), count: -1 };
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  el.classList.add("iso", "iso-cohort");

  const title = h("h3", { class: "iso-title" }, plural);
  const totals = h("span", { class: "iso-quiet" });
  const expression = h("input", {
    type: "search",
    class: "iso-cohort-text",
    placeholder: 'Modality = CT and SliceThickness < 2',
    "aria-label": "Query text",
    spellcheck: "false",
    value: model.get("expression"),
    oninput: debounced(() => set({ expression: expression.value, selected_uids: [] }), 450),
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Enter") set({ expression: expression.value, selected_uids: [] });
      if (event.key === "ArrowDown") grid.focus();
    },
  });
  const problem = h("div", { class: "iso-cohort-problem", role: "alert", hidden: true });
  const facets_button = pressed("Facets", true, (on) => (side.hidden = !on));
  const columns_button = pressed("Columns", false, (on) => {
    panel.element.hidden = !on;
    if (on) panel.open();
  });
  const show_button = pressed("Show identifiers", view.show, (on) => {
    view.show = on;
    grid.redraw();
    facets.redraw();
  });
  const chips = h("div", { class: "iso-cohort-chips", hidden: true });
  const side = h("aside", { class: "iso-scroll iso-cohort-side", "aria-label": "Facets" });
  const failure = h("div");
  const selection = h("span");
  const place = h("span", { class: "iso-push iso-cohort-place" });
  const clear = h("button", { type: "button", hidden: true, onclick: () => set({ selected_uids: [] }) }, "Clear selection");
  const open = h("button", { type: "button", disabled: true, onclick: () => grid.open_active() }, "Open series");
  const beneath = h("div", { class: "iso-cohort-viewer", hidden: true });

  const panel = columns_panel({ view, model, set, close: () => columns_button.click() });
  const facets = facets_panel({ view, model, set, element: side });
  const grid = rows_grid({
    view,
    model,
    set,
    connection,
    opened: open_row,
    moved: (text) => (place.textContent = text),
    failed: (error) => failure.replaceChildren(...(error ? [error_box(error)] : [])),
    active: (row) => (open.disabled = !row),
  });
  const main = h("div", { class: "iso-cohort-main" }, side, h("div", { class: "iso-cohort-right" }, failure, grid.element));
  main.style.height = `${model.get("height")}px`;
  el.replaceChildren(
    h("div", { class: "iso-bar" }, title, totals, h("span", { class: "iso-push" }), facets_button, columns_button, show_button),
    h("div", { class: "iso-bar iso-cohort-query" }, h("span", { class: "iso-quiet", "aria-hidden": "true" }, "where"), expression, problem),
    chips,
    panel.element,
    main,
    h("div", { class: "iso-foot" }, selection, clear, place, open),
    beneath,
  );
  const say = announcer(el);

  function pressed(text, on, change) {
    const button = h("button", { type: "button", "aria-pressed": String(on) }, text);
    button.addEventListener("click", () => {
      const now = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(now));
      change(now);
    });
    return button;
  }

  let asking = new AbortController();
  async function load() {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const asked = model.get("_asked");
    if (!("where" in asked)) return;
    title.classList.add("iso-busy");
    facets.busy(true);
    const question = { level, where: asked.where, ...(asked.cohort ? { cohort: asked.cohort } : {}) };
    try {
      const { count } = await connection.post_json("/api/tables/count", question, { signal });
      view.count = count;
      title.textContent = `${count_text(count)} ${count === 1 && level !== "series" ? level : plural}`;
      failure.replaceChildren();
      grid.start(question, count);
      set({ count });
      say(title.textContent);
      tell_totals(signal);
      if (asked.facets.length) {
        const found = await connection.post_json("/api/tables/facets", { ...question, facets: asked.facets }, { signal });
        facets.show(found.facets);
      } else facets.show([]);
    } catch (error) {
      if (error?.name !== "AbortError") failure.replaceChildren(error_box(error));
    } finally {
      if (!signal.aborted) {
        title.classList.remove("iso-busy");
        facets.busy(false);
      }
    }
  }

  async function tell_totals(signal) {
    try {
      const found = await connection.ask("totals", null, { signal });
      const parts = level === "instance" ? [] : [`${count_text(found.instances)} instance${found.instances === 1 ? "" : "s"}`];
      totals.textContent = [...parts, found.size].join(" · ");
    } catch (error) {
      if (error?.name !== "AbortError") totals.textContent = "";
    }
  }

  function tell_problem() {
    const { message, hint } = model.get("_problem") || {};
    problem.hidden = !message;
    problem.replaceChildren(...(message ? [h("b", {}, message), hint ? ` ${hint}` : ""] : []));
    expression.setAttribute("aria-invalid", String(Boolean(message)));
  }

  function tell_chips() {
    const choices = model.get("choices") || {};
    const without = (name) => Object.fromEntries(Object.entries(choices).filter(([one]) => one !== name));
    const shown = Object.entries(choices).map(([name, choice]) => {
      const remove = h("button", { type: "button", class: "iso-plain", "aria-label": `Remove the condition on ${name}`, onclick: () => set({ choices: without(name), selected_uids: [] }) }, "×");
      const hidden = view.infos.get(name)?.masked && !view.show;
      return h("span", { class: "iso-chip" }, `${name}: ${hidden ? "•••" : facets.choice_text(name, choice)}`, remove);
    });
    chips.hidden = shown.length === 0;
    const all = h("button", { type: "button", class: "iso-cohort-link", onclick: () => set({ choices: {}, selected_uids: [] }) }, "Clear all");
    chips.replaceChildren(...shown, ...(shown.length > 1 ? [all] : []));
  }

  function tell_selection() {
    const count = model.get("selected_uids").length;
    selection.textContent = count ? `${count_text(count)} selected` : "Click, Shift or Space selects; Enter opens";
    clear.hidden = count === 0;
    grid.mark();
  }

  async function open_row(row) {
    open.classList.add("iso-busy");
    try {
      await connection.ask("open", { SeriesInstanceUID: row.SeriesInstanceUID ?? null, StudyInstanceUID: row.StudyInstanceUID });
      failure.replaceChildren();
    } catch (error) {
      failure.replaceChildren(error_box(error));
    } finally {
      open.classList.remove("iso-busy");
    }
  }

  let shown_view = null;
  async function show_viewer() {
    const told_model = model.get("viewer");
    shown_view?.remove?.();
    shown_view = null;
    beneath.hidden = !told_model;
    if (!told_model) return;
    try {
      const child = typeof told_model === "string" ? await model.widget_manager.get_model(told_model.replace("IPY_MODEL_", "")) : told_model;
      shown_view = await model.widget_manager.create_view(child);
      beneath.replaceChildren(shown_view.el);
      beneath.scrollIntoView({ block: "nearest" });
    } catch (error) {
      beneath.replaceChildren(error_box({ message: "This front end shows no widget inside another", hint: `${told(error)[0]}; show widget.viewer in a cell` }));
    }
  }

  model.on("change:_asked", load);
  model.on("change:_problem", tell_problem);
  model.on("change:choices", () => {
    tell_chips();
    facets.redraw();
  });
  model.on("change:selected_uids", tell_selection);
  model.on("change:columns", () => grid.columns_changed());
  model.on("change:order", () => grid.restart());
  model.on("change:viewer", show_viewer);
  model.on("change:height", () => (main.style.height = `${model.get("height")}px`));
  model.on("change:expression", () => {
    if (expression.value !== model.get("expression")) expression.value = model.get("expression");
  });
  connection.ask("columns").then((infos) => {
    view.infos = new Map(infos.map((info) => [info.name, info]));
    grid.columns_changed();
    facets.redraw();
    tell_chips();
  }, (error) => failure.replaceChildren(error_box(error)));
  tell_problem();
  tell_selection();
  load();
  if (model.get("viewer")) show_viewer();
  return () => {
    asking.abort();
    grid.close();
    connection.close();
    shown_view?.remove?.();
  };
}

export default { render };
