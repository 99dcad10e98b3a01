// Stacks of parallel frames as a grid in the patient, sampled where an image plane cuts them: for segmentations and dose.
// Works for planes that are oblique to the grid and of other spacing. Not here: what the samples mean.

import { dot, is_parallel, map_between, position_along, to_patient } from "./geometry.js";

// Planes with positions along the first one's normal (mm), ascending; frames of one position are together.
export function stack_of(frames) {
  const first = frames.find((frame) => frame.plane)?.plane;
  if (!first) return null;
  const levels = new Map();
  for (const frame of frames) {
    if (!frame.plane || !is_parallel(frame.plane, first)) continue;
    const place = Math.round(position_along(frame.plane, first.normal) * 1000) / 1000;
    if (!levels.has(place)) levels.set(place, []);
    levels.get(place).push(frame);
  }
  const places = [...levels.keys()].sort((a, b) => a - b);
  const steps = places.slice(1).map((place, one) => place - places[one]).sort((a, b) => a - b);
  return {
    plane: first,
    places,
    levels: places.map((place) => levels.get(place)),
    step: steps.length ? steps[steps.length >> 1] : frames[0].thickness ?? 1,
    rows: frames[0].image.rows,
    columns: frames[0].image.columns,
  };
}

// Positions along the stack's normal, in mm, that an image of this size touches: [least, most].
export function reach_of(stack, plane, columns, rows) {
  const corners = [[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]];
  const places = corners.map(([column, row]) => dot(to_patient(plane, column, row), stack.plane.normal));
  return [Math.min(...places), Math.max(...places)];
}

// Numbers of the levels whose slabs meet a reach.
export function levels_within(stack, [least, most], margin = stack.step / 2) {
  return stack.places.map((_, one) => one).filter((one) => stack.places[one] >= least - margin - 1e-3 && stack.places[one] <= most + margin + 1e-3);
}

// For each pixel of a grid of width x height over an image: calls visit(index, column, row, place) with where it is
// in the stack. `shrink` image pixels make one of the grid.
export function walk(stack, plane, width, height, shrink, visit) {
  const { start, by_column, by_row } = map_between(plane, stack.plane);
  const base = position_along(stack.plane, stack.plane.normal);
  for (let row = 0; row < height; row += 1) {
    const y = (row + 0.5) * shrink - 0.5;
    for (let column = 0; column < width; column += 1) {
      const x = (column + 0.5) * shrink - 0.5;
      visit(
        row * width + column,
        start[0] + x * by_column[0] + y * by_row[0],
        start[1] + x * by_column[1] + y * by_row[1],
        base + start[2] + x * by_column[2] + y * by_row[2],
      );
    }
  }
}

// Nearest level to a place, or -1 when none is within half a step.
export function nearest_level(stack, place) {
  const above = lower_bound(stack.places, place);
  const candidates = [above - 1, above].filter((one) => one >= 0 && one < stack.places.length);
  let best = -1;
  let closest = stack.step / 2 + 1e-3;
  for (const one of candidates) {
    const distance = Math.abs(stack.places[one] - place);
    if (distance <= closest) [best, closest] = [one, distance];
  }
  return best;
}

// The first place that is not below.
export function lower_bound(places, place) {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Linear in three directions between values of levels (arrays of columns x rows, or undefined); NaN outside the grid.
export function interpolated(stack, values, column, row, place) {
  const { columns, rows, places } = stack;
  if (column < -0.001 || row < -0.001 || column > columns - 0.999 || row > rows - 0.999) return NaN;
  const above = places.length === 1 ? 0 : Math.min(Math.max(lower_bound(places, place), 1), places.length - 1);
  const below = Math.max(above - 1, 0);
  const gap = places[above] - places[below];
  const share = gap ? (place - places[below]) / gap : 0;
  if (share < -0.001 || share > 1.001 || (!gap && Math.abs(place - places[0]) > stack.step / 2)) return NaN;
  const [low, high] = [plane_value(values[below], columns, rows, column, row), plane_value(values[above], columns, rows, column, row)];
  return share <= 0 ? low : share >= 1 ? high : low + (high - low) * share;
}

function plane_value(values, columns, rows, column, row) {
  if (!values) return NaN;
  const x = Math.min(Math.max(Math.floor(column), 0), Math.max(columns - 2, 0));
  const y = Math.min(Math.max(Math.floor(row), 0), Math.max(rows - 2, 0));
  const [right, down] = [Math.min(x + 1, columns - 1), Math.min(y + 1, rows - 1)];
  const [u, v] = [Math.min(Math.max(column - x, 0), 1), Math.min(Math.max(row - y, 0), 1)];
  const upper = values[y * columns + x] * (1 - u) + values[y * columns + right] * u;
  const lower = values[down * columns + x] * (1 - u) + values[down * columns + right] * u;
  return upper * (1 - v) + lower * v;
}
