// From stored value to grey or colour: modality transformation, VOI, inversion, colour map (PS3.3 C.11, PS3.4 N).
// One table of 65,536 RGBA entries serves WebGL and the canvas alike. Not here: tables of objects (`tables`).

import { entry_of } from "./tables.js";

export const POSITIONS = 65536;

// What the stored value means (HU, Bq/ml, …): Modality LUT or rescale.
export function modality_value(frame, tables, stored) {
  return tables?.modality ? entry_of(tables.modality, stored) : stored * frame.slope + frame.intercept;
}

// 0 to 1 of a window (PS3.3 C.11.2.1.2 and C.11.2.1.3).
export function windowed(value, center, width, voi_function = "LINEAR") {
  if (voi_function === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / width));
  if (voi_function === "LINEAR_EXACT") return clamp((value - center) / width + 0.5);
  if (width <= 1) return value <= center - 0.5 ? 0 : 1;
  return clamp((value - (center - 0.5)) / (width - 1) + 0.5);
}

const clamp = (value) => (value < 0 ? 0 : value > 1 ? 1 : value);

// The window that a view means on a frame: {center, width, voi_function} or {table}; pixels serve "auto".
export function voi_of(view, frame, tables, pixels) {
  if (view.mode === "window") return { center: view.center, width: view.width, voi_function: view.voi_function ?? "LINEAR" };
  if (view.mode === "table" && tables?.voi[view.table]) return { table: tables.voi[view.table] };
  if (view.mode === "object") {
    const own = frame.windows[view.window ?? 0] ?? frame.windows[0];
    if (own) return { ...own, voi_function: frame.voi_function };
    if (tables?.voi.length) return { table: tables.voi[0] };
  }
  return { ...auto_window(pixels, frame, tables, view.mode === "full" ? 0 : 0.005), voi_function: "LINEAR_EXACT" };
}

// The window from the lowest to the highest values of a frame, `ignored` of the pixels left out at either end.
// Padding does not count.
export function auto_window(pixels, frame, tables, ignored = 0.005) {
  const counts = new Uint32Array(POSITIONS);
  const padding = padding_range(frame.image);
  let total = 0;
  const jump = Math.max(1, Math.floor(pixels.positions.length / 400000));
  for (let one = 0; one < pixels.positions.length; one += jump) {
    if (padding && is_between(pixels.stored[one], padding)) continue;
    counts[pixels.positions[one]] += 1;
    total += 1;
  }
  const low = modality_value(frame, tables, pixels.base + percentile(counts, total * ignored) * pixels.step);
  const high = modality_value(frame, tables, pixels.base + percentile(counts, total * (1 - ignored) - 1) * pixels.step);
  return { center: (low + high) / 2, width: Math.max(Math.abs(high - low), pixels.step * Math.abs(frame.slope)) };
}

function percentile(counts, rank) {
  let seen = 0;
  let last = 0;
  for (let position = 0; position < counts.length; position += 1) {
    if (!counts[position]) continue;
    last = position;
    seen += counts[position];
    if (seen > rank) return position;
  }
  return last;
}

function padding_range(image) {
  const padding = image.padding;
  return padding ? [Math.min(...padding), Math.max(...padding)] : null;
}

const is_between = (value, [least, most]) => value >= least && value <= most;

// The table of a grey or palette frame under a view: RGBA of each position, as bytes of a Uint32Array.
export function lookup_table(pixels, frame, tables, view) {
  const made = new Uint32Array(POSITIONS);
  if (tables?.palette) return fill_palette(made, pixels, tables.palette);
  const shade = shader(frame, tables, view, pixels);
  const colours = colour_map(view.colours ?? "grey", is_inverted(frame, view));
  const from = Math.max(0, Math.floor((pixels.least - pixels.base) / pixels.step));
  const to = Math.min(POSITIONS - 1, Math.ceil((pixels.most - pixels.base) / pixels.step));
  const padding = padding_range(frame.image);
  const black = colour_map(view.colours ?? "grey", false)[0];
  for (let position = from; position <= to; position += 1) {
    const stored = pixels.base + position * pixels.step;
    made[position] = padding && is_between(stored, padding) ? black : colours[shade(stored)];
  }
  return made;
}

// MONOCHROME1 and an inverse presentation show low values white; the user may turn either round.
export function is_inverted(frame, view) {
  return (frame.image.photometric === "MONOCHROME1") !== Boolean(view.invert);
}

function shader(frame, tables, view, pixels) {
  const voi = voi_of(view, frame, tables, pixels);
  if (voi.table) {
    const most = 2 ** Math.min(voi.table.bits, 16) - 1;
    return (stored) => Math.round((255 * entry_of(voi.table, modality_value(frame, tables, stored))) / most) & 255;
  }
  return (stored) =>
    Math.round(255 * windowed(modality_value(frame, tables, stored), voi.center, voi.width, voi.voi_function));
}

function fill_palette(made, pixels, palette) {
  for (let position = 0; position < POSITIONS; position += 1) {
    const stored = pixels.base + position * pixels.step;
    const [red, green, blue] = palette.map((table) => (table.bits > 8 ? entry_of(table, stored) >> 8 : entry_of(table, stored)));
    made[position] = packed(red, green, blue);
  }
  return made;
}

const packed = (red, green, blue) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

export const COLOUR_MAPS = {
  grey: [[0, 0, 0], [255, 255, 255]],
  hot: [[0, 0, 0], [120, 0, 0], [230, 50, 0], [255, 150, 0], [255, 235, 90], [255, 255, 255]],
  viridis: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
};

// 256 colours between stops, packed as the tables are.
export function colour_map(name, inverted = false) {
  const stops = COLOUR_MAPS[name] ?? COLOUR_MAPS.grey;
  return Uint32Array.from({ length: 256 }, (_, one) => packed(...between(stops, (inverted ? 255 - one : one) / 255)));
}

export function between(stops, share) {
  const place = share * (stops.length - 1);
  const at = Math.min(Math.floor(place), stops.length - 2);
  return stops[at].map((value, one) => Math.round(value + (stops[at + 1][one] - value) * (place - at)));
}
