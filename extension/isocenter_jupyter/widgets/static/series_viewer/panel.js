// The list of overlays beside the image: each on or off, its opacity, and its segments, structures or isodoses by colour.

import { h } from "../dom.js";
import { hex_of, rgb_of_hex } from "./colours.js";

const NAMES = { SEG: "Segmentation", RTSTRUCT: "Structure set", RTDOSE: "Dose", OVERLAY: "Overlay planes" };

const KINDS = Object.keys(NAMES);

export function fill_panel(panel, viewer) {
  if (panel.hidden) return;
  const overlays = [...viewer.shelf.overlays].sort((a, b) => KINDS.indexOf(a.overlay.kind) - KINDS.indexOf(b.overlay.kind));
  const open = new Set([...panel.querySelectorAll("details:not([open])")].map((one) => one.dataset.uid));
  const shown = overlays.map((entry) => overlay_element(entry, viewer, !open.has(entry.overlay.uid)));
  const none = h("p", { class: "iso-quiet" }, "This study has no segmentation, structure set or dose that belongs to these images.");
  panel.replaceChildren(h("h3", { class: "iso-title" }, "Overlays"), ...(shown.length ? shown : [none]));
}

function overlay_element(entry, viewer, is_open) {
  const { overlay } = entry;
  const changed = () => {
    viewer.tell_overlays();
    viewer.redraw();
  };
  const visible = h("input", {
    type: "checkbox", checked: entry.visible, "aria-label": `Show ${overlay.label}`, onclick: (event) => event.stopPropagation(),
    onchange: (event) => {
      entry.visible = event.target.checked;
      changed();
    },
  });
  const opacity = h("input", {
    type: "range", min: "0", max: "100", value: String(Math.round(overlay.opacity * 100)), "aria-label": `Opacity of ${overlay.label}`, title: "Opacity",
    oninput: (event) => {
      overlay.opacity = Number(event.target.value) / 100;
      viewer.redraw();
    },
  });
  const kind = [NAMES[overlay.kind], overlay.type?.toLowerCase()].filter(Boolean).join(", ");
  const most = overlay.kind === "RTDOSE" && overlay.most ? `highest ${overlay.text_of(overlay.most)}` : "";
  return h(
    "details",
    { class: "viewer-overlay", open: is_open, "data-uid": overlay.uid },
    h("summary", {}, visible, h("span", { class: "viewer-overlay-name" }, overlay.label), h("span", { class: "iso-quiet viewer-overlay-kind" }, [kind, most].filter(Boolean).join(" · "))),
    h("label", { class: "viewer-opacity" }, h("span", {}, "Opacity"), opacity),
    h("ul", { class: "viewer-parts" }, overlay.parts.map((part) => part_element(part, changed))),
    entry.error ? h("p", { class: "viewer-failed" }, entry.error.message) : null,
  );
}

function part_element(part, changed) {
  const colour = h("input", {
    type: "color", value: hex_of(part.colour), "aria-label": `Colour of ${part.label}`,
    oninput: (event) => {
      part.colour = rgb_of_hex(event.target.value);
      changed();
    },
  });
  const visible = h("input", {
    type: "checkbox", checked: part.visible, "aria-label": `Show ${part.label}`,
    onchange: (event) => {
      part.visible = event.target.checked;
      changed();
    },
  });
  return h("li", {}, h("label", {}, visible, h("span", {}, part.label)), colour);
}
