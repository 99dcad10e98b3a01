// The hand-over to 3-D: Python makes a widget of ipyniivue with the volume, and it is shown over the images.
// Not here: the volume itself, which the kernel reads.

import { h } from "../dom.js";

export async function show_volume(viewer) {
  const { chrome, model } = viewer;
  if (chrome.body.querySelector(".viewer-volume")) return;
  chrome.note("Reading the volume…");
  try {
    const manager = model.widget_manager;
    if (!manager) throw new Error("This front end shows no widget within another: run viewer.show_3d() in a cell");
    const { model_id } = await viewer.connection.ask("show_3d", { height: chrome.body.clientHeight });
    const view = await manager.create_view(await manager.get_model(model_id));
    const place = h("div", { class: "viewer-volume", role: "dialog", "aria-label": "The series in 3-D" });
    const close = () => {
      view.remove();
      place.remove();
      chrome.stage.focus({ preventScroll: true });
    };
    place.append(view.el, h("button", { type: "button", class: "viewer-button viewer-close", "aria-label": "Close the volume", title: "Close", onclick: close }, "✕"));
    chrome.body.append(place);
    view.trigger?.("displayed");
    chrome.note("");
  } catch (error) {
    chrome.note([error.message, error.hint].filter(Boolean).join(": "));
  }
}
