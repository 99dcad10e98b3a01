// Snapshots of a dataset: take one, or return to one after a second question.

import { connect } from "./static/connection.js";
import { announcer, error_box, h, note } from "./static/dom.js";

function render({ model, el }) {
  const connection = connect(model);
  el.classList.add("iso", "iso-reset");
  const body = h("div", {}, note("Asking for the snapshots …", true));
  const name = h("input", { type: "text", placeholder: "Name of a new snapshot", "aria-label": "Name of a new snapshot", maxlength: "200" });
  const take = h("button", { type: "submit" }, "Take snapshot");
  const form = h("form", { class: "iso-foot" }, name, take);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (name.value.trim()) act("take", name.value.trim(), (text) => `Snapshot ${text} taken`);
  });
  name.addEventListener("keydown", (event) => event.stopPropagation());
  const message = h("div");
  el.replaceChildren(
    h("div", { class: "iso-bar" }, h("h3", { class: "iso-title" }, `Dataset ${connection.dataset}`), h("span", { class: "iso-quiet" }, "snapshots")),
    body,
    message,
    form,
  );
  const say = announcer(el);

  async function act(what, chosen, text) {
    for (const button of el.querySelectorAll("button")) button.disabled = true;
    try {
      const told = await connection.ask(what, { name: chosen });
      const line = what === "snapshots" ? "" : text(chosen, told);
      message.replaceChildren(...(line ? [h("div", { class: "iso-note iso-reset-done" }, `✓ ${line}`)] : []));
      say(line);
      if (what === "take") name.value = "";
      list(told.snapshots);
    } catch (error) {
      message.replaceChildren(error_box(error));
      if (what === "snapshots") body.replaceChildren();
    }
    for (const button of el.querySelectorAll("button")) button.disabled = false;
  }

  function list(snapshots) {
    if (!snapshots.length) {
      body.replaceChildren(note("There is no snapshot yet. Take one, and the dataset can be returned to this moment."));
      return;
    }
    body.replaceChildren(h("ul", { class: "iso-reset-list" }, snapshots.map(row)));
  }

  function row(snapshot) {
    const when = snapshot.created || snapshot.taken || snapshot.when || "";
    const actions = h("span", { class: "iso-reset-actions" });
    const ask = h("button", { type: "button", onclick: () => {
      actions.replaceChildren(h("span", {}, "What came since is gone then."), yes, no);
      no.focus();
    } }, "Reset to this");
    const yes = h("button", { type: "button", class: "iso-reset-yes", onclick: () => act("reset", snapshot.name, (text, told) => `Returned to ${text} in ${told.seconds.toFixed(2)} s`) }, "Reset");
    const no = h("button", { type: "button", onclick: () => {
      actions.replaceChildren(ask);
      ask.focus();
    } }, "Keep");
    ask.setAttribute("aria-label", `Reset the dataset to ${snapshot.name}`);
    actions.append(ask);
    const text = when ? String(when).replace("T", " ").slice(0, 16) : "";
    return h("li", {}, h("b", {}, snapshot.name), h("span", { class: "iso-quiet" }, text), h("span", { class: "iso-push" }), actions);
  }

  act("snapshots", "", () => "");
  return () => connection.close();
}

export default { render };
