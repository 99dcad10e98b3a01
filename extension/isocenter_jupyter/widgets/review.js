// De-identification, before and after: attributes with their distinct values, images with what is blacked out,
// what is kept back; and the verdict on it.

import { connect } from "./static/connection.js";
import { announcer, count_text, debounced, error_box, h, note } from "./static/dom.js";
import { attributes_table } from "./static/review/attributes.js";
import { choice_keys, mark_choices } from "./static/review/choice.js";
import { image_grid } from "./static/review/images.js";
import { quarantine_list } from "./static/review/quarantine.js";
import { verdict_foot } from "./static/review/verdict.js";

const EMPTY = "No report yet. Give one: review.report = plan.report(), or plan.review()";
const TABS = { attributes: "Attributes", images: "Images", quarantined: "Kept back" };
const FILTERS = [["all", "All"], ["open", "Undecided"], ["flag", "To look at"], ["changed", "Changed"], ["keep", "Kept as they are"], ["rejected", "Rejected"]];

function render({ model, el }) {
  const connection = connect(model);
  const view = { report: {}, standing: { kind: "open", words: "" }, show: Boolean(model.get("_show_identifiers")), tab: "attributes", filter: "all", search: "", drawn: "" };
  let kept = new Set();
  el.classList.add("iso", "iso-review");
  const decisions = () => model.get("decisions") || {};
  const attributes = () => view.report.attributes || [];
  const images = () => view.report.images || [];
  const kept_back = () => view.report.quarantined || [];
  const keys = () => [...attributes().map((one) => one.tag), ...images().filter((one) => !stays(one)).map((one) => one.id)];
  const stays = (one) => kept.has(one.id) || (one.note || "").startsWith("quarantined"); // whatever is decided
  const settled = () => ["settled", "released"].includes(view.standing.kind);
  const context = { decisions, decide, settled, stays, show: () => view.show, get: connection.get };

  const title = h("h3", { class: "iso-title" }, "De-identification review");
  const profile = h("span", { class: "iso-quiet" });
  const counts = h("span", { class: "iso-quiet iso-review-counts" });
  const show = h("button", { type: "button", "aria-pressed": String(view.show), onclick: () => {
    view.show = !view.show;
    show.setAttribute("aria-pressed", String(view.show));
    load();
  } }, "Show originals");
  const tabs = Object.keys(TABS).map((name) =>
    h("button", { type: "button", role: "tab", "data-tab": name, onclick: () => open_tab(name), onkeydown: walk_tabs }));
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search attributes", title: "Name, tag, action (/)", oninput: debounced(() => {
    view.search = search.value.trim().toLowerCase();
    draw();
  }, 120), onkeydown: (event) => event.stopPropagation() });
  const filter = h("select", { "aria-label": "Which", onchange: () => {
    view.filter = filter.value;
    draw();
  } }, FILTERS.map(([value, text]) => h("option", { value }, text)));
  const tools = h("div", { class: "iso-bar iso-review-tools" }, h("span", { role: "tablist", class: "iso-review-tabs" }, tabs), h("span", { class: "iso-push" }), search, filter);
  const body = h("div", { class: "iso-scroll iso-review-body", role: "tabpanel", tabindex: "0" }, note("Reading the report …", true));
  const foot = verdict_foot({ model, view, keys, decisions, decide, settle });
  el.replaceChildren(h("div", { class: "iso-bar" }, title, profile, h("span", { class: "iso-push" }), counts, show), tools, body, foot.element);
  const say = announcer(el);
  choice_keys(body, (chosen, what) => settled() || decide(chosen, what));
  el.addEventListener("keydown", (event) => {
    if (event.key !== "/" || search.hidden || event.target === search) return;
    event.preventDefault();
    event.stopPropagation();
    search.focus();
  });

  function walk_tabs(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.stopPropagation();
    const shown = tabs.filter((tab) => !tab.hidden);
    const at = shown.findIndex((tab) => tab.dataset.tab === view.tab);
    const next = shown[(at + step + shown.length) % shown.length];
    open_tab(next.dataset.tab);
    next.focus();
  }

  function decide(chosen, what) {
    const next = { ...decisions() };
    for (const key of chosen) {
      if (next[key] === what && chosen.length === 1) delete next[key];
      else next[key] = what;
    }
    model.set("decisions", next);
    model.save_changes();
    say(chosen.length === 1 ? `${chosen[0]} ${next[chosen[0]] || "undecided"}` : `${chosen.length} ${what}`);
  }

  async function settle(verdict) {
    view.standing = await connection.ask("settle", { verdict, decisions: decisions() });
    model.set("verdict", verdict);
    model.save_changes();
    say(view.standing.words);
    draw();
  }

  async function load() {
    try {
      const { standing, ...report } = await connection.ask("report", { show: view.show });
      Object.assign(view, { report, standing });
      kept = new Set(kept_back().map((one) => one.id));
      if (!attributes().length && images().length) view.tab = "images";
      draw();
    } catch (error) {
      tools.hidden = foot.element.hidden = show.hidden = true;
      body.replaceChildren(error_box(error));
    }
  }

  function open_tab(name) {
    view.tab = name;
    draw();
    body.scrollTop = 0;
  }

  function draw() {
    const empty = !attributes().length && !images().length && !kept_back().length;
    title.textContent = view.report.title || "De-identification review";
    profile.textContent = view.report.profile || "";
    counts.textContent = counts_text(view.report.counts);
    tools.hidden = foot.element.hidden = show.hidden = empty;
    draw_tabs();
    search.hidden = view.tab !== "attributes";
    filter.hidden = view.tab === "quarantined";
    if (empty) body.replaceChildren(note(EMPTY));
    else if (view.tab === "images") body.replaceChildren(image_grid(images().filter((one) => wanted(one, one.id)), context));
    else if (view.tab === "quarantined") body.replaceChildren(quarantine_list(kept_back()));
    else body.replaceChildren(attributes_table(attributes().filter((one) => wanted(one, one.tag) && found(one)), context));
    foot.tell();
  }

  function draw_tabs() {
    const sizes = { attributes: attributes().length, images: images().length, quarantined: kept_back().length };
    for (const tab of tabs) {
      const name = tab.dataset.tab;
      const chosen = name === view.tab;
      tab.hidden = !sizes[name];
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      tab.textContent = `${TABS[name]} ${count_text(sizes[name])}`;
    }
  }

  function wanted(one, key) {
    const decision = decisions()[key];
    if (view.filter === "open") return !decision;
    if (view.filter === "flag") return one.flag || one.boxes?.length;
    if (view.filter === "rejected") return decision === "rejected";
    if (view.filter === "keep") return one.action ? one.action === "keep" : !one.boxes?.length;
    if (view.filter === "changed") return one.action ? one.action !== "keep" : one.boxes?.length;
    return true;
  }

  const found = (one) => !view.search || `${one.tag} ${one.name} ${one.action} ${one.note || ""}`.toLowerCase().includes(view.search);

  function mark() {
    mark_choices(body, decisions());
    foot.tell();
  }

  model.on("change:_version", load);
  model.on("change:decisions", mark);
  model.on("change:verdict", foot.tell);
  load();
  return () => connection.close();
}

function counts_text(counts) {
  if (!counts || counts.in === undefined) return "";
  const said = [`${count_text(counts.out)} of ${count_text(counts.in)} come out`];
  for (const [name, words] of [["quarantined", "kept back"], ["skipped", "skipped"]]) if (counts[name]) said.push(`${count_text(counts[name])} ${words}`);
  return said.join(" · ");
}

export default { render };
