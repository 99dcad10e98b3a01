// Segmentations over images (PS3.3 A.51, C.8.20): binary, fractional and label maps, one colour a segment.
// A slice asks for the frames that it cuts and no others. Not here: drawing (`layers`).

import { TAG, group_of, items_of, number_of, numbers_of, text_of } from "./attributes.js";
import { distinct, rgb_of_lab } from "./colours.js";
import { levels_within, nearest_level, reach_of, stack_of, walk } from "./grids.js";
import { frames_of } from "./frames.js";
import { stored_values } from "./pixels.js";

const SEGMENT_IDENTIFICATION = "0062000A";
const REFERENCED_SEGMENT = "0062000B";

export class Segmentation {
  // dataset: DICOM JSON of the SEG; loader: of frames.
  constructor(dataset, loader) {
    this.kind = "SEG";
    this.uid = text_of(dataset, TAG.SOPInstanceUID);
    this.label = text_of(dataset, TAG.SeriesDescription) || text_of(dataset, "00700080") || "Segmentation";
    this.type = text_of(dataset, "00620001", "BINARY");
    this.most = this.type === "FRACTIONAL" ? number_of(dataset, "0062000E", 255) : 1;
    this.loader = loader;
    this.frames = frames_of([dataset]).map((frame) => ({ ...frame, segment: segment_of(dataset, frame.index), source: source_of(dataset, frame.index) }));
    this.stack = stack_of(this.frames);
    this.parts = items_of(dataset, "00620002").map(part_of).filter((part) => part.number > 0);
    this.opacity = 0.35;
  }

  // Coverage of each segment on an image: [{part, mask: Uint8Array of 0 to 255}], segments that are absent left out.
  async layer_of(frame, signal) {
    const { rows, columns } = frame.image;
    const masks = new Map();
    if (this.stack && frame.plane) await this.cut(frame, masks, signal);
    else await this.match(frame, masks, signal);
    return { width: columns, height: rows, masks: this.parts.filter((p) => masks.has(p.number)).map((part) => ({ part, mask: masks.get(part.number) })) };
  }

  async cut(frame, masks, signal) {
    const { rows, columns } = frame.image;
    const levels = levels_within(this.stack, reach_of(this.stack, frame.plane, columns, rows));
    const loaded = new Map(await Promise.all(levels.map(async (level) => [level, await this.read(this.stack.levels[level], signal)])));
    if (![...loaded.values()].some((found) => found.length)) return;
    const { stack } = this;
    walk(stack, frame.plane, columns, rows, 1, (index, column, row, place) => {
      const [x, y] = [Math.round(column), Math.round(row)];
      if (x < 0 || y < 0 || x >= stack.columns || y >= stack.rows) return;
      for (const read of loaded.get(nearest_level(stack, place)) ?? []) this.mark(masks, read, y * stack.columns + x, index, rows * columns);
    });
  }

  // Without a place in the patient (a panoramic): the frames that name this image, pixel by pixel.
  async match(frame, masks, signal) {
    const named = this.frames.filter((one) => one.source === frame.image.uid && one.image.rows === frame.image.rows && one.image.columns === frame.image.columns);
    for (const read of await this.read(named, signal)) {
      for (let index = 0; index < read.values.length; index += 1) this.mark(masks, read, index, index, read.values.length);
    }
  }

  mark(masks, read, from, to, size) {
    const value = read.values[from];
    if (!value) return;
    const number = this.type === "LABELMAP" ? value : read.segment;
    if (!masks.has(number)) masks.set(number, new Uint8Array(size));
    masks.get(number)[to] = this.type === "FRACTIONAL" ? Math.round((255 * value) / this.most) : 255;
  }

  read(frames, signal) {
    return Promise.all(frames.map(async (frame) => ({ segment: frame.segment, values: await this.values_of(frame, signal) })));
  }

  async values_of(frame, signal) {
    this.values ??= new Map();
    const known = this.values.get(frame.key);
    if (known) return known;
    const values = stored_values(frame.image, await this.loader.bytes(frame, signal));
    this.values.set(frame.key, values);
    if (this.values.size > 200) this.values.delete(this.values.keys().next().value);
    return values;
  }
}

function segment_of(dataset, index) {
  return number_of(group_of(dataset, index, SEGMENT_IDENTIFICATION), REFERENCED_SEGMENT, 1);
}

function source_of(dataset, index) {
  const derivation = group_of(dataset, index, TAG.DerivationImageSequence);
  const [source] = items_of(derivation, TAG.SourceImageSequence);
  return text_of(source ?? items_of(dataset, TAG.SourceImageSequence)[0], TAG.ReferencedSOPInstanceUID);
}

function part_of(item, place) {
  const lab = numbers_of(item, "0062000D", 3);
  const number = number_of(item, "00620004", place + 1);
  return { number, label: text_of(item, "00620005") || `Segment ${number}`, colour: lab ? rgb_of_lab(lab) : distinct(place), visible: true };
}
