// Pointer, wheel and keyboard on the stage. The wheel belongs to the viewer only when the movement began over it,
// so that scrolling a notebook does not stop at an image.

import { command_of } from "./keys.js";

const GESTURE = 250; // milliseconds between wheel events of one movement
const A_SLICE = 40; // pixels of wheel that make a slice
const MEASURES = ["distance", "angle", "region"];

// Listen; the function that ends it.
export function listen(viewer) {
  const { stage } = viewer.chrome;
  const ended = new AbortController();
  const on = (target, name, work, options = {}) => target.addEventListener(name, work, { ...options, signal: ended.signal });
  const pointer = new Pointer(viewer);
  const wheel = new Wheel(viewer);
  on(stage, "pointerdown", (event) => pointer.down(event));
  on(stage, "pointermove", (event) => pointer.move(event));
  on(stage, "pointerup", (event) => pointer.up(event));
  on(stage, "pointercancel", () => pointer.cancel());
  on(stage, "pointerleave", () => viewer.chrome.probe(""));
  on(stage, "click", () => setTimeout(() => keep_focus(viewer))); // a notebook takes it for the cell
  on(stage, "contextmenu", (event) => event.preventDefault());
  on(stage, "dblclick", (event) => double_click(viewer, event));
  on(stage, "wheel", (event) => wheel.over(event), { passive: false });
  on(window, "wheel", (event) => wheel.anywhere(event), { passive: true, capture: true });
  on(viewer.chrome.root, "keydown", (event) => key(viewer, event));
  return () => ended.abort();
}

function keep_focus({ chrome, closed }) {
  if (!closed && !chrome.root.contains(document.activeElement)) chrome.stage.focus({ preventScroll: true });
}

function key(viewer, event) {
  // a key that is not ours is not the notebook's either: `b` would make a cell and take the keyboard away
  if (!event.ctrlKey && !event.metaKey && event.key !== "Enter") event.stopPropagation();
  const typing = event.target.closest?.("input:not([type=range]), select, textarea");
  const button = event.target.closest?.("button, [type=range], [type=checkbox]");
  if (typing || (button && [" ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key))) return;
  const command = command_of(event);
  if (!command) return;
  event.preventDefault();
  viewer.commands.run(command);
}

function double_click(viewer, event) {
  const { state } = viewer;
  const spot = viewer.spot(point_of(viewer, event));
  if (!spot || MEASURES.includes(state.tool)) return;
  if (state.layout[0] * state.layout[1] > 1) {
    viewer.montage = state.layout;
    viewer.set({ layout: [1, 1], index: spot.index });
  } else if (viewer.montage) viewer.set({ layout: viewer.montage });
}

function point_of(viewer, event) {
  const box = viewer.chrome.stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

class Wheel {
  constructor(viewer) {
    this.viewer = viewer;
    this.last_elsewhere = 0;
    this.gathered = 0;
  }

  anywhere(event) {
    if (!this.viewer.chrome.stage.contains(event.target)) this.last_elsewhere = event.timeStamp;
  }

  over(event) {
    if (event.timeStamp - this.last_elsewhere < GESTURE) {
      this.last_elsewhere = event.timeStamp; // the movement goes on where it began
      return;
    }
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1;
    const delta = (event.deltaY || event.deltaX) * unit;
    if (event.ctrlKey || event.metaKey) {
      this.viewer.commands.zoom_at(Math.exp(-delta / 300), point_of(this.viewer, event));
      return;
    }
    if (Math.sign(delta) !== Math.sign(this.gathered)) this.gathered = 0;
    this.gathered += delta;
    const steps = Math.abs(delta) >= 100 ? Math.sign(delta) : Math.trunc(this.gathered / A_SLICE);
    if (!steps) return;
    this.gathered = 0;
    this.viewer.commands.step(steps);
  }
}

class Pointer {
  constructor(viewer) {
    this.viewer = viewer;
    this.drag = null;
  }

  down(event) {
    const { viewer } = this;
    viewer.chrome.stage.focus({ preventScroll: true });
    const spot = viewer.frames.length ? viewer.spot(point_of(viewer, event)) : null;
    if (!spot) return;
    event.preventDefault();
    if (viewer.draft?.type === "angle" && event.button === 0) return this.finish_angle(event);
    const tool = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 ? "zoom" : viewer.state.tool;
    this.drag = { tool, from: [event.clientX, event.clientY], at: point_of(viewer, event), gathered: 0 };
    viewer.chrome.stage.setPointerCapture(event.pointerId);
    if (spot.index !== viewer.state.index) viewer.set({ index: spot.index });
    if (MEASURES.includes(tool)) viewer.draft = { type: tool, key: spot.frame.key, place: spot.place, frame: spot.frame, points: [spot.point, spot.point] };
  }

  move(event) {
    const { viewer, drag } = this;
    if (!viewer.frames.length) return;
    const at = point_of(viewer, event);
    if (viewer.draft && (drag || viewer.draft.type === "angle")) this.stretch(at);
    else if (drag) this.pull(drag, event);
    viewer.chrome.probe(viewer.probe(at));
  }

  pull(drag, event) {
    const { commands } = this.viewer;
    const [dx, dy] = [event.clientX - drag.from[0], event.clientY - drag.from[1]];
    drag.from = [event.clientX, event.clientY];
    if (drag.tool === "window") commands.drag(dx, dy);
    else if (drag.tool === "pan") commands.pan(dx, dy);
    else if (drag.tool === "zoom") commands.zoom_at(Math.exp(-dy / 150), drag.at);
    else {
      drag.gathered += dy;
      const steps = Math.trunc(drag.gathered / 8);
      drag.gathered -= steps * 8;
      if (steps) commands.step(steps);
    }
  }

  // The last point of what is drawn follows the pointer.
  stretch(at) {
    const { viewer } = this;
    const { draft } = viewer;
    const point = viewer.commands.to_image(draft.frame, draft.place, at);
    draft.points = [...draft.points.slice(0, -1), point];
    viewer.redraw();
  }

  up(event) {
    const { viewer, drag } = this;
    this.drag = null;
    if (!drag || !viewer.draft) return;
    this.stretch(point_of(viewer, event));
    const { draft } = viewer;
    const [first, last] = [draft.points[0], draft.points.at(-1)];
    if (Math.hypot(last[0] - first[0], last[1] - first[1]) < 1) viewer.draft = null;
    else if (draft.type === "angle" && draft.points.length === 2) draft.points = [...draft.points, last];
    else this.keep(draft);
    viewer.redraw();
  }

  finish_angle(event) {
    this.stretch(point_of(this.viewer, event));
    this.keep(this.viewer.draft);
  }

  keep({ type, key: frame_key, points }) {
    const { viewer } = this;
    viewer.draft = null;
    viewer.set({ measurements: [...viewer.state.measurements, { type, key: frame_key, points }] });
  }

  cancel() {
    this.drag = null;
    this.viewer.draft = null;
    this.viewer.redraw();
  }
}
