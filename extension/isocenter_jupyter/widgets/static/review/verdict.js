// The foot: what is decided so far, and the verdict on the whole, which for held results is given once.

import { told } from "../connection.js";
import { count_text, h } from "../dom.js";

const OPEN = [["accepted", "✓ Accept"], ["rejected", "✕ Reject"]];
const SPOILT = "No attribute stays behind alone: reject the whole and change the plan";
const HELD = [["accepted", "✓ Accept …"], ["rejected", "✕ Reject …"]];

// `view` has `report` and `standing`; `settle(verdict)` gives the verdict to the server and says how it then is.
export function verdict_foot({ model, view, keys, decisions, decide, settle }) {
  const state = h("span", { class: "iso-review-state" });
  const outcome = h("span", { class: "iso-review-outcome", role: "status" });
  const rest = h("button", { type: "button", onclick: () => decide(undecided(), "accepted") }, "Accept the undecided");
  const verdicts = OPEN.map(([value, text]) => h("button", { type: "button", class: `iso-review-${value}`, "data-verdict": value, onclick: () => press(value) }, text));
  const question = h("div", { class: "iso-review-question", role: "alertdialog", hidden: true });
  const foot = h("div", { class: "iso-foot" }, state, outcome, h("span", { class: "iso-push" }), rest, verdicts);
  const element = h("div", {}, question, foot);

  const undecided = () => keys().filter((key) => !decisions()[key]);
  const rejected = (list, key) => (list || []).filter((one) => decisions()[one[key]] === "rejected").length;

  function press(value) {
    if (view.standing.kind === "held") return ask(value);
    model.set("verdict", model.get("verdict") === value ? "" : value);
    return model.save_changes();
  }

  function ask(value) {
    const lines = value === "accepted" ? accepting() : ["All results of this run are deleted. Nothing leaves."];
    const confirm = h("button", { type: "button", class: `iso-review-${value}`, "aria-pressed": "true", onclick: () => send(value, confirm) }, value === "accepted" ? "Accept" : "Reject");
    const back = h("button", { type: "button", onclick: close }, "Back");
    question.setAttribute("aria-label", value === "accepted" ? "Accept the results?" : "Reject the results?");
    question.replaceChildren(h("div", {}, lines.map((text) => h("div", {}, text))), h("span", { class: "iso-push" }), confirm, back);
    question.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    };
    question.hidden = false;
    foot.hidden = true;
    back.focus();
  }

  function accepting() {
    const images = rejected(view.report.images, "id");
    const flagged = (view.report.attributes || []).filter((one) => one.flag && !decisions()[one.tag]).length;
    const out = view.report.counts?.out;
    const leave = out === undefined ? "The results leave" : `${count_text(out - images)} of ${count_text(out)} instances leave`;
    const lines = [`${leave}${images ? `; ${count_text(images)} rejected do not` : ""}. This is said once and for good.`];
    if (flagged) lines.push(`⚑ ${count_text(flagged)} ${flagged === 1 ? "attribute that should be looked at is" : "attributes that should be looked at are"} undecided.`);
    return lines;
  }

  async function send(value, confirm) {
    for (const button of question.querySelectorAll("button")) button.disabled = true;
    confirm.classList.add("iso-busy");
    try {
      await settle(value);
      close();
    } catch (error) {
      const [message, hint] = told(error);
      question.replaceChildren(h("div", { role: "alert" }, h("b", {}, message), hint ? h("div", {}, hint) : null), h("span", { class: "iso-push" }), h("button", { type: "button", onclick: close }, "Close"));
      question.querySelector("button").focus();
    }
  }

  function close() {
    question.hidden = true;
    foot.hidden = false;
    verdicts.find((one) => !one.disabled && !one.hidden)?.focus();
  }

  function tell() {
    const all = keys();
    const { kind, words } = view.standing;
    const count = (what) => all.filter((key) => decisions()[key] === what).length;
    state.textContent = all.length ? `${count_text(count("accepted"))} accepted · ${count_text(count("rejected"))} rejected · ${count_text(undecided().length)} undecided` : "";
    state.hidden = kind === "settled" || kind === "released";
    outcome.dataset.verdict = kind === "settled" ? model.get("verdict") : "";
    rest.disabled = undecided().length === 0;
    rest.hidden = ["settled", "released"].includes(kind);
    const spoilt = kind === "held" ? rejected(view.report.attributes, "tag") : 0;
    outcome.textContent = spoilt ? SPOILT : words || "";
    outcome.hidden = !outcome.textContent;
    for (const [at, button] of verdicts.entries()) {
      const value = button.dataset.verdict;
      button.textContent = (kind === "held" ? HELD : OPEN)[at][1];
      button.hidden = !["open", "held"].includes(kind);
      button.setAttribute("aria-pressed", String(model.get("verdict") === value));
      button.disabled = value === "accepted" && spoilt > 0;
    }
  }

  return { element, tell };
}
