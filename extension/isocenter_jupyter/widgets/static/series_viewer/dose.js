// RT dose over images (PS3.3 C.8.8.3): a colour wash and isodose lines, the grid interpolated where an image cuts it.
// Doses are in Gy (or relative, as the object says). Not here: dose-volume histograms.

import { TAG, group_of, number_of, numbers_of, text_of } from "./attributes.js";
import { interpolated, levels_within, reach_of, stack_of, walk } from "./grids.js";
import { along, plane_of } from "./geometry.js";
import { describe_image } from "./frames.js";
import { stored_values } from "./pixels.js";

const FINEST = 256; // samples across an image: dose grids are coarse

export const ISODOSES = [
  { share: 0.95, colour: [255, 70, 60] }, { share: 0.8, colour: [255, 160, 50] }, { share: 0.6, colour: [250, 225, 70] },
  { share: 0.4, colour: [90, 215, 110] }, { share: 0.2, colour: [70, 190, 250] }, { share: 0.1, colour: [120, 120, 255] },
];

export class Dose {
  constructor(dataset, loader) {
    this.kind = "RTDOSE";
    this.uid = text_of(dataset, TAG.SOPInstanceUID);
    this.unit = text_of(dataset, "30040002") === "RELATIVE" ? "%" : "Gy";
    this.factor = number_of(dataset, "3004000E", 1) * (this.unit === "%" ? 100 : 1);
    const told = text_of(dataset, TAG.SeriesDescription) || text_of(dataset, "30040006");
    this.label = told || "Dose";
    this.opacity = 0.4;
    this.loader = loader;
    this.image = describe_image(dataset);
    this.stack = stack_of(grid_frames(dataset, this.image));
    this.values = [];
    this.most = null; // of the whole grid, once read
    this.parts = ISODOSES.map(({ share, colour }, number) => ({ number, share, colour, visible: true, label: `${Math.round(share * 100)} %` }));
  }

  // The whole grid once, in Gy: isodoses are shares of its highest dose.
  async read_all(signal) {
    if (!this.stack || this.most !== null) return;
    let next = 0;
    const work = async () => {
      while (next < this.stack.levels.length) {
        const level = next;
        next += 1;
        this.values[level] ??= await this.read(this.stack.levels[level][0], signal);
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    this.most = this.values.reduce((most, plane) => plane.reduce((a, b) => (a > b ? a : b), most), 0);
    for (const part of this.parts) part.label = this.text_of(part.share * this.most);
  }

  async read(frame, signal) {
    const stored = stored_values(frame.image, await this.loader.bytes(frame, signal));
    return Float32Array.from(stored, (value) => value * this.factor);
  }

  text_of(dose) {
    return `${dose >= 100 ? dose.toFixed(0) : dose.toFixed(dose < 1 ? 2 : 1)} ${this.unit}`;
  }

  // Dose over an image: {width, height, shrink, values: Float32Array with NaN outside, lines per isodose}.
  async layer_of(frame, signal) {
    if (!this.stack || !frame.plane) return null;
    await this.read_all(signal);
    const { rows, columns } = frame.image;
    const reach = reach_of(this.stack, frame.plane, columns, rows);
    if (!levels_within(this.stack, reach, this.stack.step).length) return null;
    const shrink = Math.max(1, Math.max(rows, columns) / FINEST);
    const [width, height] = [Math.ceil(columns / shrink), Math.ceil(rows / shrink)];
    const values = new Float32Array(width * height);
    walk(this.stack, frame.plane, width, height, shrink, (index, column, row, place) => {
      values[index] = interpolated(this.stack, this.values, column, row, place);
    });
    const lines = this.parts.map((part) => ({ part, segments: isolines(values, width, height, part.share * this.most, shrink) }));
    return { width, height, shrink, values, lines };
  }

  // Dose at a point of a layer, in image coordinates; null outside the grid.
  at(layer, x, y) {
    const [column, row] = [Math.floor(x / layer.shrink), Math.floor(y / layer.shrink)];
    const value = column < 0 || row < 0 || column >= layer.width || row >= layer.height ? NaN : layer.values[row * layer.width + column];
    return Number.isFinite(value) ? value : null;
  }
}

// A frame a plane: GridFrameOffsetVector counts from the first plane, or tells z itself (PS3.3 C.8.8.3.2).
export function grid_frames(dataset, image) {
  const orientation = numbers_of(dataset, TAG.ImageOrientationPatient, 6);
  const position = numbers_of(dataset, TAG.ImagePositionPatient, 3);
  const first = plane_of(orientation, position, numbers_of(dataset, TAG.PixelSpacing, 2));
  const count = Math.max(1, number_of(dataset, TAG.NumberOfFrames, 1));
  const told = numbers_of(dataset, "3004000C") ?? [0];
  const offsets = told[0] === 0 ? told : told.map((place) => (place - told[0]) * Math.sign(first?.normal[2] || 1));
  return Array.from({ length: count }, (_, index) => ({
    image,
    index,
    key: `${image.uid}/${index + 1}`,
    thickness: number_of(group_of(dataset, index, TAG.PixelMeasures) ?? dataset, TAG.SliceThickness),
    plane: first && { ...first, origin: along(first.origin, first.normal, offsets[index] ?? 0) },
  }));
}

// Line pieces where values cross a level, as [x1, y1, x2, y2, …] in image coordinates (marching squares).
export function isolines(values, width, height, level, shrink = 1) {
  const pieces = [];
  const value = (column, row) => {
    const found = values[row * width + column];
    return Number.isFinite(found) ? found : 0;
  };
  for (let row = 0; row < height - 1; row += 1) {
    for (let column = 0; column < width - 1; column += 1) {
      const corners = [value(column, row), value(column + 1, row), value(column + 1, row + 1), value(column, row + 1)];
      const kind = corners.reduce((sum, corner, one) => sum + (corner >= level ? 1 << one : 0), 0);
      for (const [from, to] of EDGES[kind]) {
        for (const edge of [from, to]) {
          const [x, y] = crossing(corners, edge, level);
          pieces.push((column + x + 0.5) * shrink, (row + y + 0.5) * shrink);
        }
      }
    }
  }
  return pieces;
}

// Edges of a square: 0 above, 1 right, 2 below, 3 left.
const EDGES = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 1], [2, 3]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], [],
];

function crossing(corners, edge, level) {
  const [a, b] = [corners[edge], corners[(edge + 1) % 4]];
  const share = a === b ? 0.5 : (level - a) / (b - a);
  return [[share, 0], [1, share], [1 - share, 1], [0, 1 - share]][edge];
}
