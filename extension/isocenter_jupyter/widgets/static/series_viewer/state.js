// What a viewer shows, and the moves between such states. Pure: nothing is drawn, asked or told here.

import { START } from "./placement.js";

export const LAYOUTS = [[1, 1], [1, 2], [2, 2], [2, 3], [3, 4], [4, 5]];

export function first_state() {
  return {
    index: 0,
    layout: [1, 1],
    view: { mode: "object" },
    placement: { ...START },
    tool: "window",
    playing: false,
    rate: 10,
    soft: true,
    texts: true,
    overlays_on: true,
    measurements: [],
  };
}

export const held = (index, count) => Math.max(0, Math.min(count - 1, Math.round(index)));

// Indexes of the frames in the cells: a montage turns pages, so that the current frame is in one of them.
export function page_of(index, layout, count) {
  const cells = layout[0] * layout[1];
  const first = cells === 1 ? index : Math.min(Math.floor(index / cells) * cells, Math.max(0, count - 1));
  return Array.from({ length: cells }, (_, one) => (first + one < count ? first + one : null));
}

// A window moved by a drag of (dx, dy) CSS pixels: across changes width, down lowers the level.
export function dragged_window({ center, width }, dx, dy, least = 1) {
  const speed = Math.max(width, least * 20) / 300;
  return { center: center + dy * speed, width: Math.max(least, width + dx * speed) };
}

// Window rounded to what people read: whole numbers unless it is narrow.
export function window_text({ center, width, table }) {
  if (table) return `VOI LUT ${table.name}`.trim();
  const digits = width < 10 ? 2 : width < 50 ? 1 : 0;
  return `W ${width.toFixed(digits)}  L ${center.toFixed(digits)}`;
}

export function layout_name([rows, columns]) {
  return `${rows} × ${columns}`;
}

// The layout of a list that comes after one.
export function next_layout(layout) {
  const at = LAYOUTS.findIndex(([rows, columns]) => rows === layout[0] && columns === layout[1]);
  return LAYOUTS[(at + 1) % LAYOUTS.length];
}
