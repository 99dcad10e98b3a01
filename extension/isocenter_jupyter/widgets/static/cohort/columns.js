// The chooser of columns: those shown, in their order, and a search through all that may be asked for.

import { debounced, h } from "../dom.js";

const FOUND = 40;

export function columns_panel({ view, model, set, close }) {
  const search = h("input", {
    type: "search",
    placeholder: "Find a column by name or tag",
    "aria-label": "Find a column",
    oninput: debounced(list, 100),
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Escape") close();
    },
  });
  const chosen = h("ul", { class: "iso-cohort-chosen", "aria-label": "Columns shown" });
  const found = h("div", { class: "iso-scroll iso-cohort-found" });
  const element = h(
    "div",
    { class: "iso-cohort-columns", hidden: true, role: "group", "aria-label": "Columns" },
    h("div", {}, h("b", {}, "Shown"), chosen),
    h("div", {}, search, found),
  );

  function change(columns) {
    set({ columns });
    list();
  }

  function list() {
    const columns = model.get("columns");
    const move = (index, by) => {
      const next = [...columns];
      next.splice(index + by, 0, ...next.splice(index, 1));
      change(next);
    };
    chosen.replaceChildren(
      ...columns.map((name, index) =>
        h(
          "li",
          {},
          h("button", { type: "button", class: "iso-plain", disabled: index === 0, "aria-label": `Move ${name} to the left`, onclick: () => move(index, -1) }, "↑"),
          h("button", { type: "button", class: "iso-plain", disabled: index === columns.length - 1, "aria-label": `Move ${name} to the right`, onclick: () => move(index, 1) }, "↓"),
          h("span", { title: name }, name),
          h("button", { type: "button", class: "iso-plain", disabled: columns.length === 1, "aria-label": `Hide ${name}`, onclick: () => change(columns.filter((one) => one !== name)) }, "×"),
        ),
      ),
    );
    const text = search.value.trim().toLowerCase().replace(/[(),]/g, "");
    const matches = [...view.infos.values()].filter((info) => (text || !info.name.startsWith("_")) && `${info.name} ${info.about}`.toLowerCase().includes(text));
    found.replaceChildren(
      ...matches.slice(0, FOUND).map((info) =>
        h(
          "label",
          { title: info.about },
          h("input", {
            type: "checkbox",
            checked: columns.includes(info.name),
            onchange: (event) => change(event.target.checked ? [...columns, info.name] : columns.filter((one) => one !== info.name)),
          }),
          h("span", {}, info.name),
          h("span", { class: "iso-quiet iso-mono" }, info.about.slice(0, 40)),
        ),
      ),
      matches.length > FOUND ? h("div", { class: "iso-quiet" }, `and ${matches.length - FOUND} more: type a part of the name`) : "",
      matches.length === 0 ? h("div", { class: "iso-quiet" }, "No column of this name") : "",
    );
  }

  return {
    element,
    open() {
      list();
      search.focus();
    },
  };
}
