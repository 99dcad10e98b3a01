// What keys, buttons and drags do to a viewer.

import { START, inverse_of, matrix_of, mirrored, one_to_one, transformed, zoomed_at } from "./placement.js";
import { shape_of } from "./scene.js";
import { dragged_window, next_layout } from "./state.js";

const COLOURS = ["grey", "hot", "viridis"];

export function commands_of(viewer) {
  const step = (by) => viewer.set({ index: viewer.state.index + by });
  const cells = () => viewer.state.layout[0] * viewer.state.layout[1];
  const page = () => (cells() > 1 ? cells() : 10);
  const place = (change) => viewer.set({ placement: { ...viewer.state.placement, ...change } });
  const look = (change) => viewer.set({ view: { ...viewer.state.view, ...change } });
  const pan = (x, y) => place({ x: viewer.state.placement.x + x, y: viewer.state.placement.y + y });
  const zoom = (factor) => zoom_at(viewer, factor, null);
  const drag = (dx, dy) => drag_window(viewer, dx, dy);

  const commands = {
    previous: () => step(-1),
    next: () => step(1),
    page_back: () => step(-page()),
    page_on: () => step(page()),
    first: () => viewer.set({ index: 0 }),
    last: () => viewer.set({ index: viewer.frames.length - 1 }),
    play: () => viewer.player.toggle(),
    slower: () => viewer.set({ rate: Math.max(1, viewer.state.rate / 1.25) }),
    faster: () => viewer.set({ rate: Math.min(120, viewer.state.rate * 1.25) }),
    montage: () => viewer.set({ layout: next_layout(viewer.state.layout) }),
    layout: (rows, columns) => viewer.set({ layout: [Number(rows), Number(columns)] }),
    preset: (number) => viewer.chrome.choose_preset(Number(number) - 1),
    narrower: () => drag(-20, 0),
    wider: () => drag(20, 0),
    lower: () => drag(0, -20),
    raise: () => drag(0, 20),
    invert: () => look({ invert: !viewer.state.view.invert }),
    colours: () => look({ colours: COLOURS[(COLOURS.indexOf(viewer.state.view.colours ?? "grey") + 1) % COLOURS.length] }),
    soft: () => viewer.set({ soft: !viewer.state.soft }),
    tool: (tool) => viewer.set({ tool }),
    remove: () => viewer.set({ measurements: viewer.state.measurements.slice(0, -1) }),
    clear: () => viewer.set({ measurements: [] }),
    escape: () => escape(viewer),
    zoom_in: () => zoom(1.25),
    zoom_out: () => zoom(0.8),
    fit: () => place({ zoom: START.zoom, x: 0, y: 0 }),
    one_to_one: () => place(one_to_one(viewer.state.placement, shape_of(viewer.frame), viewer.scene.cells(viewer.state.layout)[0], viewer.scene.ratio)),
    pan_left: () => pan(-30, 0),
    pan_right: () => pan(30, 0),
    pan_up: () => pan(0, -30),
    pan_down: () => pan(0, 30),
    rotate: () => place({ turns: (viewer.state.placement.turns + 1) % 4 }),
    flip: () => place(mirrored(viewer.state.placement)),
    panel: () => viewer.chrome.toggle_panel(),
    overlays: () => viewer.set({ overlays_on: !viewer.state.overlays_on }),
    texts: () => viewer.set({ texts: !viewer.state.texts }),
    full: () => viewer.chrome.toggle_full(),
    help: () => viewer.chrome.toggle_help(),
  };

  return {
    // "tool pan": a name and what it takes.
    run(line) {
      const [name, ...given] = line.split(" ");
      if (viewer.frames.length || name === "help") commands[name]?.(...given);
    },
    pan,
    drag,
    step,
    zoom_at: (factor, point) => zoom_at(viewer, factor, point),
    to_image: (frame, cell, [x, y]) => transformed(inverse_of(matrix_of(viewer.state.placement, shape_of(frame), cell)), x, y),
  };
}

function zoom_at(viewer, factor, point) {
  const places = viewer.scene.cells(viewer.state.layout);
  const inside = point && places.find((one) => point[0] >= one.x && point[1] >= one.y && point[0] < one.x + one.width && point[1] < one.y + one.height);
  const cell = inside ?? places[0];
  const at = inside ? point : [cell.x + cell.width / 2, cell.y + cell.height / 2];
  viewer.set({ placement: zoomed_at(viewer.state.placement, cell, factor, at) });
}

function drag_window(viewer, dx, dy) {
  const voi = viewer.effective_window();
  if (!voi) return;
  const { pixels } = viewer.loaded;
  const least = Math.max(pixels.step * Math.abs(viewer.frame.slope), 1e-9);
  viewer.set({ view: { ...viewer.state.view, mode: "window", ...dragged_window(voi, dx, dy, least), voi_function: viewer.frame.voi_function === "SIGMOID" ? "SIGMOID" : "LINEAR" } });
}

function escape(viewer) {
  if (viewer.draft) {
    viewer.draft = null;
    viewer.redraw();
  } else viewer.chrome.toggle_help(false);
}
