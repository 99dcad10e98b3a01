// Below the image: play, slider, number of the image, frames a second, and what is under the pointer.

import { h } from "../dom.js";
import { icon } from "./icons.js";

export function foot_of(viewer) {
  const play = h("button", { type: "button", class: "viewer-button", title: "Play (space)", "aria-label": "Play", onclick: () => viewer.commands.run("play") }, icon("play"));
  const slider = h("input", {
    type: "range", class: "viewer-slider", min: "0", max: "0", value: "0", "aria-label": "Image",
    oninput: () => viewer.set({ index: Number(slider.value) }),
  });
  const number = h("output", { class: "viewer-number" });
  const rate = h("input", { type: "number", class: "viewer-rate", min: "1", max: "120", step: "1", "aria-label": "Images a second", title: "Images a second (, slower, . faster)", onchange: () => viewer.set({ rate: Math.max(1, Number(rate.value) || 10) }) });
  const probe = h("div", { class: "viewer-probe iso-mono" }, "\u00a0");
  const controls = h("div", { class: "viewer-controls" }, play, slider, number, h("label", { class: "viewer-fps" }, rate, "fps"));
  let shown_icon = "play";
  return {
    element: h("div", { class: "viewer-foot" }, controls, probe),
    opened() {
      const count = viewer.frames.length;
      slider.max = String(count - 1);
      controls.classList.toggle("viewer-single", count < 2);
    },
    refresh() {
      const { index, playing, rate: fps } = viewer.state;
      slider.value = String(index);
      slider.setAttribute("aria-valuetext", `image ${index + 1} of ${viewer.frames.length}`);
      number.textContent = `${index + 1} / ${viewer.frames.length}`;
      if (document.activeElement !== rate) rate.value = String(Math.round(fps * 10) / 10);
      const wanted = playing ? "pause" : "play";
      if (wanted === shown_icon) return;
      shown_icon = wanted;
      play.replaceChildren(icon(wanted));
      play.setAttribute("aria-label", playing ? "Stop" : "Play");
    },
    probe(text) {
      probe.textContent = text || "\u00a0";
    },
  };
}
