// Icons of the toolbar: paths on a grid of 16 by 16, stroked in the colour of the text.

import { h } from "../dom.js";

const PATHS = {
  window: "M8 2a6 6 0 1 0 0 12z M8 2a6 6 0 0 1 0 12 M8 5h4.2 M8 8h6 M8 11h4.2",
  pan: "M8 1.5v13 M1.5 8h13 M8 1.5 6 3.5 M8 1.5l2 2 M8 14.5l-2-2 M8 14.5l2-2 M1.5 8l2-2 M1.5 8l2 2 M14.5 8l-2-2 M14.5 8l-2 2",
  zoom: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9 M10.5 10.5 14 14 M7 5v4 M5 7h4",
  scroll: "M3 3.5h10v3H3z M3 9.5h10v3H3z",
  distance: "M2.5 13.5 13.5 2.5 M1.2 12.2l2.6 2.6 M12.2 1.2l2.6 2.6 M6 7.4l1.4 1.4 M8.6 4.8 10 6.2",
  angle: "M13 3 3 13h11 M7.5 8.7a6 6 0 0 1 1.8 4.1",
  region: "M8 3.5c3.6 0 6 2 6 4.5s-2.4 4.5-6 4.5-6-2-6-4.5 2.4-4.5 6-4.5z",
  invert: "M3 3h10v10H3z M3 13 13 3 M5.5 10.5 M7 13l6-6 M10 13l3-3",
  rotate: "M13 8a5 5 0 1 1-1.6-3.7 M13.2 2v3h-3",
  flip: "M8 2v12 M6 4 2 12h4z M10 4l4 8h-4z",
  fit: "M2.5 6V2.5H6 M10 2.5h3.5V6 M13.5 10v3.5H10 M6 13.5H2.5V10",
  montage: "M2.5 2.5h4.5v4.5H2.5z M9 2.5h4.5v4.5H9z M2.5 9h4.5v4.5H2.5z M9 9h4.5v4.5H9z",
  layers: "M8 2 14 5.5 8 9 2 5.5z M2.5 8.5 8 11.7l5.5-3.2 M2.5 11.3 8 14.5l5.5-3.2",
  cube: "M8 1.8 13.5 5v6.2L8 14.4 2.5 11.2V5z M2.5 5 8 8.2 13.5 5 M8 8.2v6.2",
  help: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8 M6 6.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.3 M8 11.4v.3",
  full: "M2.5 6V2.5H6 M10 2.5h3.5V6 M13.5 10v3.5H10 M6 13.5H2.5V10 M5.5 5.5h5v5h-5z",
  play: "M4.5 2.8 13 8l-8.5 5.2z",
  pause: "M5 3v10 M11 3v10",
  trash: "M3 4.5h10 M6.5 4V2.5h3V4 M4.5 4.5l.6 9h5.8l.6-9 M6.8 7v4.2 M9.2 7v4.2",
};

export function icon(name) {
  return h("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "viewer-icon" }, h("path", { d: PATHS[name] }));
}
