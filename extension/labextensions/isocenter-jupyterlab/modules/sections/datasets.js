// Datasets: which one is searched and uploaded into, its snapshots, and the way back to one.

import { empty, h, show, symbol_button, time_text } from "../elements.js";

/** @param {import("../panel.js").Context} context */
export function datasets_section(context) {
  const { server, preferences, dialogs } = context;
  const node = h("div", { class: "iso-datasets" });
  let datasets = [];
  let snapshots = new Map();

  /** Read them again; a dataset whose snapshots may not be read shows none. */
  async function refresh() {
    datasets = await server.json("/api/datasets");
    const read = datasets.map(async ({ name }) => [name, await server.json(snapshots_of(name)).catch(() => null)]);
    snapshots = new Map(await Promise.all(read));
    draw();
  }

  function draw() {
    const key = JSON.stringify([datasets, [...snapshots], preferences.dataset]);
    show(node, key, () => (datasets.length ? datasets.map(row) : [empty("You may read no dataset: ask its administrator for a role.")]));
  }

  function row({ name, ae_title }) {
    const chosen = name === preferences.dataset;
    const taken = snapshots.get(name);
    const input = h("input", {
      type: "radio",
      name: "isocenter-dataset",
      value: name,
      checked: chosen,
      "data-key": `choose ${name}`,
      onchange: () => preferences.choose(name),
    });
    const button = symbol_button("snapshot", `Take a snapshot of ${name}`, () => take(name));
    button.dataset.key = `take ${name}`;
    return h(
      "div",
      { class: "iso-dataset" },
      h(
        "div",
        { class: "iso-row" },
        h("label", { class: "iso-grow" }, input, h("span", { class: "iso-name" }, name), h("span", { class: "iso-quiet" }, ae_title)),
        button,
      ),
      taken?.length
        ? h("ul", { class: "iso-snapshots", "aria-label": `Snapshots of ${name}` }, taken.map((one) => snapshot(name, one)))
        : chosen && taken && h("p", { class: "iso-empty iso-inner" }, "No snapshot yet: take one to return to it later."),
    );
  }

  function snapshot(dataset, { name, time }) {
    const back = symbol_button("reset", `Reset ${dataset} to ${name}`, () => reset(dataset, name, time));
    const forget = symbol_button("remove", `Forget the snapshot ${name} of ${dataset}`, () => drop(dataset, name));
    back.dataset.key = `reset ${dataset} ${name}`;
    return h(
      "li",
      { class: "iso-row" },
      h("span", { class: "iso-name iso-grow", title: name }, name),
      h("span", { class: "iso-quiet iso-when" }, time_text(time)),
      back,
      forget,
    );
  }

  async function take(dataset) {
    const name = await dialogs.text(`Take a snapshot of ${dataset}`, "Its name", "exam", "Take");
    if (name) await done(() => server.post(snapshots_of(dataset), { name }), `The snapshot ${name} of ${dataset} is taken`);
  }

  async function reset(dataset, name, time) {
    const text = `${dataset} returns to how it was at ${name} (${time_text(time)}). What was stored, changed or deleted since then is undone.`;
    if (!(await dialogs.sure(`Reset ${dataset} to ${name}?`, text, "Reset"))) return;
    await done(() => server.post(`/api/datasets/${encodeURIComponent(dataset)}/reset`, { snapshot: name }), `${dataset} is back at ${name}`);
  }

  async function drop(dataset, name) {
    const text = `${dataset} stays as it is, but cannot return to ${name} any more.`;
    if (!(await dialogs.sure(`Forget the snapshot ${name}?`, text, "Forget"))) return;
    await done(() => server.remove(`${snapshots_of(dataset)}/${encodeURIComponent(name)}`), `The snapshot ${name} is forgotten`);
  }

  async function done(act, text) {
    try {
      await act();
      dialogs.tell(text);
    } catch (error) {
      dialogs.failed(error);
    }
    await context.refresh(true);
  }

  return { node, refresh, draw };
}

function snapshots_of(dataset) {
  return `/api/datasets/${encodeURIComponent(dataset)}/snapshots`;
}
