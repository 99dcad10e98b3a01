// Where an image lies in its cell: fit, zoom, pan, turns and flips, as an affine map from image to screen.
// Image coordinates count from the corner of the first pixel (its centre is 0.5, 0.5); screen in CSS pixels.

export const START = { zoom: 1, x: 0, y: 0, turns: 0, flipped: false };

// [a, b, c, d, e, f] as a canvas has it: x' = a x + c y + e, y' = b x + d y + f.
export function matrix_of(placement, image, cell) {
  const { width, height, aspect = 1 } = image;
  const scale = fit_scale(placement, image, cell) * placement.zoom;
  const angle = (placement.turns * Math.PI) / 2;
  const [cos, sin] = [Math.round(Math.cos(angle)), Math.round(Math.sin(angle))];
  const flip = placement.flipped ? -1 : 1;
  const [a, b] = [cos * scale * flip, sin * scale * flip];
  const [c, d] = [-sin * scale * aspect, cos * scale * aspect];
  const [middle_x, middle_y] = [cell.x + cell.width / 2 + placement.x, cell.y + cell.height / 2 + placement.y];
  return [a, b, c, d, middle_x - (a * width + c * height) / 2, middle_y - (b * width + d * height) / 2];
}

// CSS pixels a column at zoom 1, where the whole image is seen.
export function fit_scale(placement, image, cell) {
  const turned = placement.turns % 2 !== 0;
  const [across, down] = [image.width, image.height * (image.aspect ?? 1)];
  const [width, height] = turned ? [down, across] : [across, down];
  return Math.min(cell.width / width, cell.height / height);
}

export function transformed(matrix, x, y) {
  const [a, b, c, d, e, f] = matrix;
  return [a * x + c * y + e, b * x + d * y + f];
}

export function inverse_of([a, b, c, d, e, f]) {
  const area = a * d - b * c;
  return [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
}

// CSS pixels that a step of one column takes.
export const scale_of = ([a, b]) => Math.hypot(a, b);

// Zoomed by a factor so that what is under a point of the screen stays there.
export function zoomed_at(placement, cell, factor, point) {
  const zoom = Math.min(64, Math.max(0.1, placement.zoom * factor));
  const real = zoom / placement.zoom;
  const [from_x, from_y] = [point[0] - cell.x - cell.width / 2, point[1] - cell.y - cell.height / 2];
  return { ...placement, zoom, x: from_x - (from_x - placement.x) * real, y: from_y - (from_y - placement.y) * real };
}

// Left and right of the screen change places, however the image is turned.
export function mirrored(placement) {
  const { flipped, turns, x } = placement;
  return { ...placement, flipped: !flipped, turns: turns % 2 ? (turns + 2) % 4 : turns, x: -x };
}

// The zoom at which a pixel of the image is a pixel of the screen.
export function one_to_one(placement, image, cell, ratio = 1) {
  return { ...placement, zoom: 1 / (fit_scale(placement, image, cell) * ratio), x: 0, y: 0 };
}

// Cells of a grid within an area, with gaps; the last row may be short.
export function grid_cells(width, height, rows, columns, gap = 2) {
  const [cell_width, cell_height] = [(width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows];
  return Array.from({ length: rows * columns }, (_, one) => ({
    x: (one % columns) * (cell_width + gap),
    y: Math.floor(one / columns) * (cell_height + gap),
    width: cell_width,
    height: cell_height,
  }));
}
