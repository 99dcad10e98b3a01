// What is written on an image: orientation letters, scale bar, corner texts, measurements, legend of doses.
// All in device pixels of a 2D context. Not here: the image and its overlays.

import { css_colour } from "./colours.js";
import { edges_of, opposite_of } from "./geometry.js";
import { WARNINGS, measurement_text } from "./measuring.js";
import { scale_of, transformed } from "./placement.js";
import { outline } from "./layers.js";

const INK = "rgba(238, 242, 246, 0.95)";
const SHADE = "rgba(0, 0, 0, 0.8)";
const MEASURE = [255, 214, 92];
const DRAFT = [130, 220, 255];

export function font(ratio, size = 12, weight = 400) {
  return `${weight} ${size * ratio}px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
}

// Text with a dark edge, readable on white and black.
export function write(context, text, x, y, { align = "left", base = "alphabetic", colour = INK, ratio = 1 } = {}) {
  context.textAlign = align;
  context.textBaseline = base;
  context.lineJoin = "round";
  context.lineWidth = 3 * ratio;
  context.strokeStyle = SHADE;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

// Lines of text in the corners of a cell: {top_left, top_right, bottom_left, bottom_right}.
export function draw_corners(context, corners, cell, ratio) {
  context.font = font(ratio);
  const [pad, line] = [10 * ratio, 16 * ratio];
  for (const [corner, lines] of Object.entries(corners)) {
    const right = corner.endsWith("right");
    const shown = lines.filter(Boolean);
    shown.forEach((text, one) => {
      const y = corner.startsWith("top") ? cell.y + pad + line * (one + 0.6) : cell.y + cell.height - pad - line * (shown.length - 1 - one);
      write(context, text, right ? cell.x + cell.width - pad : cell.x + pad, y, { align: right ? "right" : "left", ratio });
    });
  }
}

// Letters at the edges, as the image is turned now.
export function letters_around(frame, matrix) {
  const { right, bottom } = edges_of(frame.plane, frame.patient_orientation);
  const [a, b, c, d] = matrix;
  const at = (x, y) => {
    const sideways = Math.abs(a) > Math.abs(b);
    const [share, other] = sideways ? [x * Math.sign(a), y * Math.sign(d)] : [y * Math.sign(b), x * Math.sign(c)];
    if (share) return share > 0 ? right : opposite_of(right);
    return other > 0 ? bottom : opposite_of(bottom);
  };
  return { right: at(1, 0), left: at(-1, 0), bottom: at(0, 1), top: at(0, -1) };
}

export function draw_letters(context, frame, matrix, cell, ratio) {
  const letters = letters_around(frame, matrix);
  context.font = font(ratio, 14, 600);
  const [middle_x, middle_y, pad] = [cell.x + cell.width / 2, cell.y + cell.height / 2, 10 * ratio];
  const style = { base: "middle", ratio };
  write(context, letters.left, cell.x + pad, middle_y, style);
  write(context, letters.right, cell.x + cell.width - pad, middle_y, { ...style, align: "right" });
  write(context, letters.top, middle_x, cell.y + pad + 7 * ratio, { ...style, align: "center" });
  write(context, letters.bottom, middle_x, cell.y + cell.height - pad - 7 * ratio, { ...style, align: "center" });
}

// Length of a bar of round millimetres that takes at most a quarter of the width: {millimetres, pixels}.
export function scale_bar(frame, matrix, width) {
  if (!frame.spacing) return null;
  const a_millimetre = scale_of(matrix) / frame.spacing[1];
  const most = width / 4 / a_millimetre;
  const power = 10 ** Math.floor(Math.log10(most));
  const millimetres = [5, 2, 1].map((one) => one * power).find((one) => one <= most) ?? power;
  return { millimetres, pixels: millimetres * a_millimetre };
}

export function draw_scale_bar(context, frame, matrix, cell, ratio) {
  const bar = scale_bar(frame, matrix, cell.width);
  if (!bar) return;
  const y = cell.y + cell.height - 34 * ratio;
  const x = cell.x + cell.width / 2 - bar.pixels / 2;
  const shape = new Path2D();
  shape.moveTo(x, y - 5 * ratio);
  shape.lineTo(x, y);
  shape.lineTo(x + bar.pixels, y);
  shape.lineTo(x + bar.pixels, y - 5 * ratio);
  outline(context, shape, [238, 242, 246], 1.4 * ratio);
  context.font = font(ratio, 11);
  const text = bar.millimetres >= 10 ? `${bar.millimetres / 10} cm` : `${bar.millimetres} mm`;
  write(context, text + (frame.spacing_kind === "imager" ? " *" : ""), x + bar.pixels / 2, y - 8 * ratio, { align: "center", ratio });
}

// Measurements of one frame; `draft` is the one that is being drawn.
export function draw_measurements(context, frame, loaded, measurements, draft, matrix, ratio, cell) {
  for (const measurement of measurements) draw_measurement(context, frame, loaded, measurement, MEASURE, matrix, ratio, cell);
  if (draft) draw_measurement(context, frame, loaded, draft, DRAFT, matrix, ratio, cell);
  const lengths = measurements.concat(draft ?? []).filter((one) => one.type !== "angle");
  if (!lengths.length || !WARNINGS[frame.spacing_kind]) return;
  context.font = font(ratio, 12, 600);
  write(context, `* ${WARNINGS[frame.spacing_kind]}`, cell.x + cell.width / 2, cell.y + 52 * ratio, { align: "center", colour: css_colour(MEASURE), ratio });
}

function draw_measurement(context, frame, loaded, measurement, colour, matrix, ratio, cell) {
  const points = measurement.points.map(([x, y]) => transformed(matrix, x, y));
  const shape = new Path2D();
  if (measurement.type === "region") add_ellipse(shape, measurement.points, matrix);
  else points.forEach(([x, y], one) => (one ? shape.lineTo(x, y) : shape.moveTo(x, y)));
  if (measurement.type !== "region") for (const [x, y] of points) add_mark(shape, x, y, 4 * ratio);
  outline(context, shape, colour, 1.6 * ratio);
  const whole = measurement.type !== "angle" || measurement.points.length === 3;
  if (!whole || points.length < 2) return;
  context.font = font(ratio, 12, 600);
  const lines = measurement_text(frame, measurement, loaded);
  const widest = Math.max(...lines.map((line) => context.measureText(line).width));
  const rightmost = Math.max(...points.map(([x]) => x));
  const beside = rightmost + 10 * ratio + widest < cell.x + cell.width;
  const x = beside ? rightmost + 10 * ratio : Math.min(...points.map(([left]) => left)) - 10 * ratio;
  const y = points.reduce((sum, point) => sum + point[1], 0) / points.length;
  lines.forEach((line, one) => write(context, line, x, y + (one - (lines.length - 1) / 2) * 16 * ratio, { align: beside ? "left" : "right", base: "middle", colour: css_colour(colour), ratio }));
}

function add_mark(shape, x, y, size) {
  shape.moveTo(x - size, y);
  shape.lineTo(x + size, y);
  shape.moveTo(x, y - size);
  shape.lineTo(x, y + size);
  shape.moveTo(x, y);
}

function add_ellipse(shape, [a, b], matrix) {
  const [cx, cy, rx, ry] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, Math.abs(b[0] - a[0]) / 2, Math.abs(b[1] - a[1]) / 2];
  for (let one = 0; one <= 64; one += 1) {
    const angle = (one / 64) * 2 * Math.PI;
    const [x, y] = transformed(matrix, cx + rx * Math.cos(angle), cy + ry * Math.sin(angle));
    if (one) shape.lineTo(x, y);
    else shape.moveTo(x, y);
  }
}

// Isodoses with their doses, at the right edge, the highest above.
export function draw_dose_legend(context, overlay, cell, ratio) {
  if (!overlay.most) return;
  const shown = overlay.parts.filter((part) => part.visible);
  const line = 17 * ratio;
  const x = cell.x + cell.width - 12 * ratio;
  const top = cell.y + cell.height * 0.5 + 24 * ratio;
  context.font = font(ratio, 11);
  shown.forEach((part, one) => {
    const y = top + one * line;
    write(context, part.label, x - 16 * ratio, y, { align: "right", base: "middle", ratio });
    context.fillStyle = css_colour(part.colour);
    context.fillRect(x - 10 * ratio, y - 1.5 * ratio, 10 * ratio, 3 * ratio);
  });
}
