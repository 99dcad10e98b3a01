// Searching by query text: how many there are while one types, and a cell that asks the same.

import { h, counted, symbol_of } from "../elements.js";
import { selecting } from "../cells.js";

const PAUSE = 300; // milliseconds without a key before the server is asked

/** @param {import("../panel.js").Context} context */
export function search_section(context) {
  const { server, preferences, notebooks } = context;
  let asked = 0;
  let timer = 0;
  let controller = new AbortController();

  const level = h(
    "select",
    { "aria-label": "What is searched for", onchange: () => count() },
    h("option", { value: "study" }, "Studies"),
    h("option", { value: "series", selected: true }, "Series"),
    h("option", { value: "instance" }, "Instances"),
  );
  level.value = "series";
  const input = h("textarea", {
    id: "isocenter-search",
    rows: 2,
    placeholder: "Modality=CT and SliceThickness<2",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-label": "Search, a condition by keywords",
    "aria-describedby": "isocenter-found",
    oninput: () => later(),
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      insert();
    },
  });
  const found = h("div", { id: "isocenter-found", class: "iso-found", role: "status", "aria-live": "polite" });
  const button = h(
    "button",
    { type: "button", class: "iso-button", title: "Put this search into the notebook (Enter)", onclick: () => insert() },
    symbol_of("insert"),
    "Insert cell",
  );
  const node = h(
    "div",
    { class: "iso-search" },
    input,
    h("div", { class: "iso-line" }, level, button),
    found,
  );

  const query = () => ({ dataset: preferences.dataset, level: level.value, where: input.value.replace(/\s+/g, " ").trim() });

  function later() {
    clearTimeout(timer);
    timer = setTimeout(count, PAUSE);
  }

  /** Ask how many; a later question takes the place of this one. */
  async function count() {
    clearTimeout(timer);
    controller.abort();
    controller = new AbortController();
    const mine = ++asked;
    if (!input.value.trim()) {
      told("");
      return;
    }
    try {
      const answer = await server.post("/api/tables/count", query(), { signal: controller.signal });
      if (mine === asked) told(counted(answer.count, level.value), false, answer.count === 0);
    } catch (error) {
      if (mine === asked && error?.name !== "AbortError") wrong(error);
    }
  }

  function wrong(error) {
    told([error.message, error.hint].filter(Boolean).join(" — "), true);
  }

  function told(text, wrong = false, none = false) {
    found.textContent = text;
    found.classList.toggle("iso-wrong", wrong);
    found.classList.toggle("iso-quiet", none);
    input.setAttribute("aria-invalid", String(wrong));
  }

  async function insert() {
    const text = query();
    try {
      // Asked for itself: looking at the server again counts as well, and takes the place of an earlier count.
      if (text.where) await server.post("/api/tables/count", text);
    } catch (error) {
      wrong(error);
      input.focus();
      return;
    }
    try {
      await notebooks.insert(selecting(text));
    } catch (error) {
      told(`No cell could be written: ${error.message ?? error}`, true);
    }
  }

  return {
    node,
    focus: () => input.focus(),
    /** Count again: the dataset or what it holds is another. */
    refresh: () => input.value.trim() && count(),
  };
}
