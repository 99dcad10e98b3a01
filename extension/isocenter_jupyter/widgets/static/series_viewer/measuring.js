// Distances, angles and elliptic regions on one frame. Points are [x, y] in image coordinates (corner of the first pixel: 0, 0).
// Lengths are mm where the spacing is known; the spacing of the detector alone is larger than the truth, and is told.

import { modality_value } from "./luts.js";

// Millimetres of a step of [columns, rows]; 1 and 1 (pixels) where no spacing is known.
export const steps_of = (frame) => (frame.spacing ? [frame.spacing[1], frame.spacing[0]] : [1, frame.aspect]);

export const length_unit = (frame) => (frame.spacing ? "mm" : "px");

export const WARNINGS = {
  imager: "by imager pixel spacing: at the detector, larger than in the patient",
  none: "no spacing is known: in pixels",
};

export function distance_of(frame, [a, b]) {
  const [x, y] = steps_of(frame);
  return Math.hypot((b[0] - a[0]) * x, (b[1] - a[1]) * y);
}

// Degrees at the second of three points, 0 to 180.
export function angle_of(frame, [a, corner, b]) {
  const [x, y] = steps_of(frame);
  const [u, v] = [a, b].map((end) => [(end[0] - corner[0]) * x, (end[1] - corner[1]) * y]);
  const turn = Math.atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1]);
  return Math.abs((turn * 180) / Math.PI);
}

// Mean, standard deviation (of the sample), least, most, number of pixels and area of the ellipse in a box of two corners.
export function region_of(frame, loaded, [a, b]) {
  const { pixels, tables } = loaded;
  if (pixels.kind !== "grey") return null;
  const [left, right] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
  const [top, bottom] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
  const [cx, cy, rx, ry] = [(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2];
  const values = [];
  for (let row = Math.max(0, Math.floor(top)); row < Math.min(pixels.height, bottom); row += 1) {
    for (let column = Math.max(0, Math.floor(left)); column < Math.min(pixels.width, right); column += 1) {
      const [x, y] = [(column + 0.5 - cx) / rx, (row + 0.5 - cy) / ry];
      if (x * x + y * y <= 1) values.push(modality_value(frame, tables, pixels.stored[row * pixels.width + column]));
    }
  }
  if (!values.length) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const [x, y] = steps_of(frame);
  return {
    mean,
    sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0,
    least: values.reduce((least, value) => Math.min(least, value), Infinity),
    most: values.reduce((most, value) => Math.max(most, value), -Infinity),
    pixels: values.length,
    area: Math.PI * rx * x * ry * y,
  };
}

// What a measurement says, in a line or two.
export function measurement_text(frame, measurement, loaded) {
  const unit = length_unit(frame);
  if (measurement.type === "distance") return [`${rounded(distance_of(frame, measurement.points))} ${unit}${mark(frame)}`];
  if (measurement.type === "angle") return [`${angle_of(frame, measurement.points).toFixed(1)}°`];
  const region = loaded ? region_of(frame, loaded, measurement.points) : null;
  if (!region) return ["…"];
  return [
    `${rounded(region.mean)} ± ${rounded(region.sd)} ${frame.unit}`.trim(),
    `${rounded(region.area)} ${unit}²${mark(frame)} (${rounded(region.least)} to ${rounded(region.most)})`,
  ];
}

const mark = (frame) => (frame.spacing_kind === "imager" ? " *" : "");

export const rounded = (value) =>
  Number.isInteger(value) ? String(value) : Math.abs(value) >= 1000 ? value.toFixed(0) : Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(Math.abs(value) < 1 ? 3 : 2);
