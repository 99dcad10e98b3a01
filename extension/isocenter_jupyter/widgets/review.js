// De-identification, before and after: attributes with their distinct values, images with what is blacked out.

import { connect } from "./static/connection.js";
import { announcer, count_text, debounced, error_box, h, note } from "./static/dom.js";

const EMPTY = "No report yet. Give one: review.report = plan.report(), or DeidReview(report)";

function render({ model, el }) {
  const connection = connect(model);
  const view = { report: {}, show: Boolean(model.get("_show_identifiers")), tab: "attributes", filter: "all", search: "" };
  el.classList.add("iso", "iso-review");
  const title = h("h3", { class: "iso-title" }, "De-identification review");
  const profile = h("span", { class: "iso-quiet" });
  const show = h("button", { type: "button", "aria-pressed": String(view.show), onclick: () => {
    view.show = !view.show;
    show.setAttribute("aria-pressed", String(view.show));
    load();
  } }, "Show values from before");
  const tabs = ["attributes", "images"].map((name) =>
    h("button", { type: "button", role: "tab", "data-tab": name, onclick: () => open_tab(name), onkeydown: (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      event.stopPropagation();
      open_tab(name === "attributes" ? "images" : "attributes");
      tabs.find((tab) => tab.dataset.tab === view.tab).focus();
    } }));
  const search = h("input", { type: "search", placeholder: "Search attributes", "aria-label": "Search attributes", oninput: debounced(() => {
    view.search = search.value.trim().toLowerCase();
    draw();
  }, 120), onkeydown: (event) => event.stopPropagation() });
  const filter = h("select", { "aria-label": "Which", onchange: () => {
    view.filter = filter.value;
    draw();
  } }, [["all", "All"], ["open", "Undecided"], ["flag", "To look at"], ["rejected", "Rejected"], ["keep", "Kept as they are"]].map(([value, text]) => h("option", { value }, text)));
  const tools = h("div", { class: "iso-bar iso-review-tools" }, h("span", { role: "tablist", class: "iso-review-tabs" }, tabs), h("span", { class: "iso-push" }), search, filter);
  const body = h("div", { class: "iso-scroll iso-review-body", role: "tabpanel", tabindex: "0" }, note("Reading the report …", true));
  const state = h("span", { class: "iso-push" });
  const rest = h("button", { type: "button", onclick: () => decide(keys().filter((key) => !decisions()[key]), "accepted") }, "Accept the undecided");
  const verdicts = [["accepted", "✓ Accept"], ["rejected", "✕ Reject"]].map(([value, text]) =>
    h("button", { type: "button", class: `iso-review-${value}`, "data-verdict": value, onclick: () => {
      model.set("verdict", model.get("verdict") === value ? "" : value);
      model.save_changes();
    } }, text));
  const foot = h("div", { class: "iso-foot" }, state, rest, verdicts);
  el.replaceChildren(h("div", { class: "iso-bar" }, title, profile, h("span", { class: "iso-push" }), show), tools, body, foot);
  const say = announcer(el);

  const decisions = () => model.get("decisions") || {};
  const attributes = () => view.report.attributes || [];
  const images = () => view.report.images || [];
  const keys = () => [...attributes().map((one) => one.tag), ...images().map((one) => one.id)];

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

  async function load() {
    try {
      view.report = await connection.ask("report", { show: view.show });
      if (!attributes().length && images().length) view.tab = "images";
      draw();
    } catch (error) {
      body.replaceChildren(error_box(error));
    }
  }

  function open_tab(name) {
    view.tab = name;
    draw();
  }

  function draw() {
    const empty = !attributes().length && !images().length;
    title.textContent = view.report.title || "De-identification review";
    profile.textContent = view.report.profile || "";
    tools.hidden = foot.hidden = show.hidden = empty;
    for (const tab of tabs) {
      const chosen = tab.dataset.tab === view.tab;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      tab.textContent = tab.dataset.tab === "attributes" ? `Attributes ${count_text(attributes().length)}` : `Images ${count_text(images().length)}`;
    }
    search.hidden = view.tab === "images";
    if (empty) body.replaceChildren(note(EMPTY));
    else if (view.tab === "images") draw_images();
    else draw_attributes();
    tell();
  }

  function wanted(one, key) {
    const decision = decisions()[key];
    if (view.filter === "open") return !decision;
    if (view.filter === "flag") return one.flag;
    if (view.filter === "rejected") return decision === "rejected";
    if (view.filter === "keep") return one.action === "keep";
    return true;
  }

  function draw_attributes() {
    const rows = attributes().filter((one) => wanted(one, one.tag) && (!view.search || `${one.tag} ${one.name} ${one.action}`.toLowerCase().includes(view.search)));
    if (!rows.length) return body.replaceChildren(note("No attribute is like this"));
    const head = h("thead", {}, h("tr", {}, ["Decision", "Attribute", "Action", "Before", "After"].map((text) => h("th", { scope: "col" }, text))));
    return body.replaceChildren(h("table", { class: "iso-table" }, head, h("tbody", {}, rows.map(attribute_row))));
  }

  function attribute_row(one) {
    return h(
      "tr",
      { "data-key": one.tag, class: decisions()[one.tag] ? `iso-review-is-${decisions()[one.tag]}` : "" },
      h("td", {}, choice(one.tag, one.name)),
      h("td", {}, h("div", {}, one.flag ? h("span", { class: "iso-review-flag", title: "Should be looked at" }, "⚑ ", h("span", { class: "iso-unseen" }, "should be looked at")) : null, h("b", {}, one.name || one.tag)), h("div", { class: "iso-quiet iso-mono" }, one.tag), one.note ? h("div", { class: "iso-quiet" }, one.note) : null),
      h("td", {}, h("span", { class: `iso-review-action iso-review-${(one.action || "").replace(" ", "-")}` }, one.action || "")),
      h("td", {}, values(one.before || [], one.distinct)),
      h("td", {}, one.action === "remove" ? h("span", { class: "iso-quiet" }, "removed") : values(one.after || [])),
    );
  }

  function values(entries, distinct = entries.length) {
    if (!entries.length) return h("span", { class: "iso-quiet" }, "empty");
    const shown = entries.slice(0, 6).map(({ value, count }) => h("li", {}, h("span", {}, value === "" || value === null ? "(empty)" : String(value)), count ? h("span", { class: "iso-quiet" }, count_text(count)) : null));
    const left = Math.max(distinct, entries.length) - shown.length;
    return h("div", {}, h("ul", { class: "iso-review-values" }, shown), left > 0 ? h("div", { class: "iso-quiet" }, `and ${count_text(left)} more values`) : null);
  }

  function choice(key, name) {
    const decision = decisions()[key];
    return h("span", { class: "iso-review-choice", role: "group", "aria-label": `Decision on ${name || key}` },
      h("button", { type: "button", class: "iso-review-accepted", "aria-pressed": String(decision === "accepted"), "aria-label": "Accept", title: "Accept", onclick: () => decide([key], "accepted") }, "✓"),
      h("button", { type: "button", class: "iso-review-rejected", "aria-pressed": String(decision === "rejected"), "aria-label": "Reject", title: "Reject", onclick: () => decide([key], "rejected") }, "✕"));
  }

  function draw_images() {
    const shown = images().filter((one) => wanted(one, one.id));
    if (!shown.length) return body.replaceChildren(note(images().length ? "No image is like this" : "There is no image to look at"));
    return body.replaceChildren(h("div", { class: "iso-review-images" }, shown.map(image_card)));
  }

  function image_card(one) {
    const width = one.width || 512;
    const height = one.height || 512;
    const boxes = (one.boxes || []).map((box) => {
      const rect = h("rect", { x: box.x, y: box.y, width: box.width, height: box.height });
      rect.append(h("title", {}, box.label || "blacked out"));
      return rect;
    });
    const picture = h("img", { alt: `${one.label || one.id}, ${boxes.length} area${boxes.length === 1 ? "" : "s"} blacked out` });
    picture.style.visibility = "hidden"; // nothing is better than a browser's sign of a missing picture
    picture.addEventListener("load", () => (picture.style.visibility = ""));
    if (one.src) picture.src = one.src;
    else if (one.path) load_picture(picture, one.path);
    const frame = h("div", { class: "iso-review-picture" }, picture, h("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", preserveAspectRatio: "none" }, boxes));
    frame.style.aspectRatio = `${width} / ${height}`;
    return h("figure", { "data-key": one.id, class: decisions()[one.id] ? `iso-review-is-${decisions()[one.id]}` : "" },
      frame,
      h("figcaption", {}, h("span", {}, h("b", {}, one.label || "image"), h("div", { class: "iso-quiet" }, one.note || `${boxes.length} area${boxes.length === 1 ? "" : "s"}`)), choice(one.id, one.label)));
  }

  async function load_picture(picture, path) {
    try {
      const answer = await connection.get(path, { accept: "image/jpeg, image/png" });
      if (answer.status !== 200) throw new Error();
      const reader = new FileReader();
      reader.onload = () => (picture.src = reader.result);
      reader.readAsDataURL(new Blob([answer.bytes], { type: (answer.headers["content-type"] || "image/jpeg").split(";")[0] }));
    } catch {
      picture.replaceWith(h("span", { class: "iso-quiet" }, "no picture"));
    }
  }

  function tell() {
    const now = decisions();
    const all = keys();
    const count = (what) => all.filter((key) => now[key] === what).length;
    const undecided = all.length - count("accepted") - count("rejected");
    state.textContent = `${count_text(count("accepted"))} accepted · ${count_text(count("rejected"))} rejected · ${count_text(undecided)} undecided`;
    rest.disabled = undecided === 0;
    for (const button of verdicts) button.setAttribute("aria-pressed", String(model.get("verdict") === button.dataset.verdict));
  }

  // Decisions change marks, not the table: what has the focus keeps it.
  function mark() {
    for (const place of body.querySelectorAll("[data-key]")) {
      const decision = decisions()[place.dataset.key];
      place.className = decision ? `iso-review-is-${decision}` : "";
      for (const button of place.querySelectorAll(".iso-review-choice button")) button.setAttribute("aria-pressed", String(button.classList.contains(`iso-review-${decision}`)));
    }
    tell();
  }

  model.on("change:_version", load);
  model.on("change:decisions", mark);
  model.on("change:verdict", tell);
  load();
  return () => connection.close();
}

export default { render };
