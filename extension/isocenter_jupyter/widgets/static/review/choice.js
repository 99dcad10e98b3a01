// Accept or reject one thing: two buttons, between which and between whose rows the arrows go.

import { h } from "../dom.js";

export function choice(key, name, { decisions, decide, settled }) {
  const decision = decisions()[key];
  const button = (what, sign, word) =>
    h("button", { type: "button", class: `iso-review-${what}`, "aria-pressed": String(decision === what), "aria-label": word, title: `${word} (${word[0].toLowerCase()})`, disabled: settled(), onclick: () => decide([key], what) }, sign);
  return h("span", { class: "iso-review-choice", role: "group", "aria-label": `Decision on ${name || key}` }, button("accepted", "✓", "Accept"), button("rejected", "✕", "Reject"));
}

// Within rows: up and down to the next one, `a` accepts and `r` rejects.
export function choice_keys(body, decide) {
  body.addEventListener("keydown", (event) => {
    const place = event.target.closest?.("[data-key]");
    if (!place || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { a: "accepted", r: "rejected" };
    const places = [...body.querySelectorAll("[data-key]")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (keys[event.key]) decide([place.dataset.key], keys[event.key]);
    else if (step) {
      const which = event.target.classList.contains("iso-review-rejected") ? ".iso-review-rejected" : ".iso-review-accepted";
      const next = places[places.indexOf(place) + step]?.querySelector(`.iso-review-choice ${which}`);
      next?.focus();
      next?.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

// Decisions change marks, not what is drawn: what has the focus keeps it.
export function mark_choices(body, decisions) {
  for (const place of body.querySelectorAll("[data-key]")) {
    const decision = decisions[place.dataset.key];
    place.className = decision ? `iso-review-is-${decision}` : "";
    for (const button of place.querySelectorAll(".iso-review-choice button")) button.setAttribute("aria-pressed", String(button.classList.contains(`iso-review-${decision}`)));
  }
}
