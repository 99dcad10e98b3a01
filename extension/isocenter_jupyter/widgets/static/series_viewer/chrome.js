// The elements around the canvas: toolbar, stage, foot with slider and probe line, list of overlays, help.
// They show the viewer's state and run its commands. Not here: what happens on the stage (`input`).

import { announcer, error_box, h } from "../dom.js";
import { foot_of } from "./foot.js";
import { help_of } from "./help.js";
import { fill_panel } from "./panel.js";
import { toolbar_of } from "./toolbar.js";

export function chrome_of(viewer) {
  const { element, model } = viewer;
  const canvas = h("canvas", { class: "viewer-canvas" });
  const stage = h(
    "div",
    { class: "viewer-stage", tabindex: "0", role: "img", "aria-roledescription": "image viewer", "aria-label": "Images of the series; press ? for the keys" },
    canvas,
  );
  const message = h("div", { class: "viewer-message", hidden: true });
  const note = h("div", { class: "viewer-note", hidden: true, role: "status" });
  const panel = h("aside", { class: "viewer-panel", hidden: true, "aria-label": "Overlays" });
  const help = help_of(() => chrome.toggle_help(false));
  const toolbar = toolbar_of(viewer);
  const foot = foot_of(viewer);
  const body = h("div", { class: "viewer-body", style: `height: ${model.get("height")}px` }, stage, panel, message, note, help);
  const root = h("div", { class: "iso viewer", "data-lm-suppress-shortcuts": "true" }, toolbar.element, body, foot.element);
  element.append(root);
  const say = announcer(root);
  keep_shortcuts_away(root);
  let spinner = 0;
  let noted = 0;

  const chrome = {
    root, body, stage, canvas, say,
    busy: (text) => show_message(h("div", { class: "iso-note iso-busy" }, text)),
    opened() {
      message.hidden = true;
      stage.setAttribute("aria-label", label_of(viewer));
      foot.opened();
      toolbar.opened();
    },
    fail(error) {
      show_message(error_box(error));
      say(error.message);
    },
    waiting(is_waiting) {
      clearTimeout(spinner);
      if (is_waiting) spinner = setTimeout(() => root.classList.add("viewer-waits"), 150);
      else root.classList.remove("viewer-waits");
    },
    note(text) {
      note.textContent = text;
      note.hidden = !text;
      clearTimeout(noted);
      noted = setTimeout(() => (note.hidden = true), 8000);
    },
    refresh() {
      toolbar.refresh();
      foot.refresh();
    },
    presets: (presets) => toolbar.presets(presets),
    choose_preset: (number) => toolbar.choose(number),
    probe: (text) => foot.probe(text),
    panel() {
      fill_panel(panel, viewer);
      keep_shortcuts_away(panel);
    },
    toggle_panel() {
      panel.hidden = !panel.hidden;
      chrome.panel();
      toolbar.refresh();
    },
    panel_is_open: () => !panel.hidden,
    toggle_help(open = help.hidden) {
      const was_open = !help.hidden;
      help.hidden = !open;
      if (open) help.querySelector("button").focus();
      else if (was_open) stage.focus({ preventScroll: true });
    },
    toggle_full() {
      if (document.fullscreenElement) document.exitFullscreen();
      else root.requestFullscreen?.().catch(() => chrome.note("This page does not allow full screen"));
    },
  };
  function show_message(content) {
    message.replaceChildren(content);
    message.hidden = false;
  }
  return chrome;
}

// JupyterLab looks for its own shortcuts from the focused element upwards, that element included.
function keep_shortcuts_away(root) {
  const able = "button, select, input, summary, [tabindex]";
  for (const one of root.querySelectorAll(able)) one.setAttribute("data-lm-suppress-shortcuts", "true");
}

function label_of(viewer) {
  const { image, dataset } = viewer.frames[0];
  const description = dataset["0008103E"]?.Value?.[0] ?? "";
  return `${image.modality} ${description}, ${viewer.frames.length} images; press ? for the keys`;
}
