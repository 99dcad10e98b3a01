// Frozen cohorts of the dataset in use; choosing one writes a cell that opens it.

import { cohort } from "../cells.js";
import { counted, empty, h, show } from "../elements.js";

/** @param {import("../panel.js").Context} context */
export function cohorts_section(context) {
  const { server, preferences, notebooks, dialogs } = context;
  const node = h("div", { class: "iso-cohorts" });

  /** Read them again; false: this server has none of that kind. */
  async function refresh() {
    let answer;
    try {
      answer = await server.json(`/api/cohorts?dataset=${encodeURIComponent(preferences.dataset)}`);
    } catch (error) {
      if (error.status === 404 || error.status === 405) return false;
      throw error;
    }
    const key = JSON.stringify([answer.map(({ id, level }) => [id, level]), preferences.masked, preferences.dataset]);
    show(node, key, () =>
      answer.length ? [h("ul", {}, answer.map(row))] : [empty("No cohort yet: freeze a search in a notebook with .freeze(\"name\").")],
    );
    return true;
  }

  function row(one) {
    const count = one[PLURAL[one.level]];
    const asked = preferences.masked ? "" : one.query?.text; // a condition may hold a name or an ID
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "iso-row iso-item",
          "data-key": one.name,
          title: [`Insert a cell that opens ${one.id}`, one.description, asked].filter(Boolean).join("\n"),
          onclick: () => notebooks.insert(cohort(preferences.dataset, one.name)).catch((error) => dialogs.failed(error)),
        },
        h("span", { class: "iso-name iso-grow" }, one.name),
        h("span", { class: "iso-quiet" }, counted(count, one.level)),
      ),
    );
  }

  return { node, refresh };
}

const PLURAL = { study: "studies", series: "series", instance: "instances" };
