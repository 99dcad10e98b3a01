// Overlay planes 60xx of an image (PS3.3 C.9.2): bits over its pixels, one colour. Planes in unused bits of Pixel Data
// (retired) are not shown.

import { bulk_path, inline_bytes, number_of, numbers_of, text_of } from "./attributes.js";
import { distinct } from "./colours.js";
import { unpack_bits } from "./pixels.js";

const GROUPS = Array.from({ length: 16 }, (_, one) => (0x6000 + one * 2).toString(16).toUpperCase());

export function has_overlay_planes(dataset) {
  return GROUPS.some((group) => dataset[`${group}3000`]);
}

export class OverlayPlanes {
  constructor(datasets, connection) {
    this.kind = "OVERLAY";
    this.uid = "overlay-planes";
    this.label = "Overlay planes";
    this.opacity = 0.85;
    this.connection = connection;
    const groups = GROUPS.filter((group) => datasets.some((dataset) => dataset[`${group}3000`]));
    this.parts = groups.map((group, number) => {
      const first = datasets.find((dataset) => dataset[`${group}3000`]);
      const label = text_of(first, `${group}1500`) || text_of(first, `${group}0022`) || `Overlay ${number + 1}`;
      return { number, group, label, colour: distinct(number + 2), visible: true };
    });
  }

  async layer_of(frame, signal) {
    const { rows, columns } = frame.image;
    const masks = [];
    for (const part of this.parts) {
      const bits = await this.bits_of(frame, part.group, signal);
      if (bits) masks.push({ part, mask: bits });
    }
    return { width: columns, height: rows, masks };
  }

  async bits_of(frame, group, signal) {
    const { dataset, image, index } = frame;
    const element = dataset[`${group}3000`];
    if (!element) return null;
    const bytes = inline_bytes(element) ?? new Uint8Array((await this.connection.get(bulk_path(element.BulkDataURI), { accept: "application/octet-stream", signal })).bytes);
    const [rows, columns] = [number_of(dataset, `${group}0010`, image.rows), number_of(dataset, `${group}0011`, image.columns)];
    const count = number_of(dataset, `${group}0015`, 1);
    const at = index - number_of(dataset, `${group}0051`, 1) + 1;
    if (at < 0 || (count > 1 && at >= count)) return null;
    const all = unpack_bits(bytes, rows * columns * count);
    const [top, left] = (numbers_of(dataset, `${group}0050`, 2) ?? [1, 1]).map((value) => value - 1);
    const mask = new Uint8Array(image.rows * image.columns);
    const from = count > 1 ? at * rows * columns : 0;
    for (let row = Math.max(0, -top); row < rows && row + top < image.rows; row += 1) {
      for (let column = Math.max(0, -left); column < columns && column + left < image.columns; column += 1) {
        if (all[from + row * columns + column]) mask[(row + top) * image.columns + column + left] = 255;
      }
    }
    return mask;
  }
}
