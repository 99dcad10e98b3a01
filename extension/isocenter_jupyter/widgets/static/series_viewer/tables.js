// Lookup tables that an object carries: Modality LUT, VOI LUT (PS3.3 C.11.1, C.11.2) and palette (C.7.6.3.1.5),
// segmented ones too (C.7.9.2).
// Large ones are bulk data and are fetched. Not here: applying them (`luts`).

import { TAG, bulk_path, group_of, inline_bytes, items_of, numbers_of, text_of, values_of } from "./attributes.js";

const PALETTE = ["1", "2", "3"].map((one) => ({ descriptor: `0028110${one}`, data: `0028120${one}`, segmented: `0028122${one}` }));

// {modality: table or null, voi: [tables], palette: [red, green, blue] or null}; fetches what is not inline.
export async function tables_of(frame, connection) {
  const { dataset, index, image } = frame;
  const transformation = group_of(dataset, index, TAG.PixelValueTransformation) ?? dataset;
  const voi = group_of(dataset, index, TAG.FrameVOILUT) ?? dataset;
  const read = (item) => table_of(item, TAG.LUTDescriptor, TAG.LUTData, connection);
  const modality = await Promise.all(items_of(transformation, TAG.ModalityLUTSequence).slice(0, 1).map(read));
  const tables = await Promise.all(items_of(voi, TAG.VOILUTSequence).map(read));
  const palette =
    image.photometric === "PALETTE COLOR"
      ? await Promise.all(PALETTE.map((tags) => palette_table(dataset, tags, connection)))
      : null;
  return { modality: modality[0] ?? null, voi: tables.filter(Boolean), palette: palette?.every(Boolean) ? palette : null };
}

export function has_tables(frame) {
  const { dataset, index, image } = frame;
  const transformation = group_of(dataset, index, TAG.PixelValueTransformation) ?? dataset;
  const voi = group_of(dataset, index, TAG.FrameVOILUT) ?? dataset;
  return Boolean(transformation[TAG.ModalityLUTSequence] || voi[TAG.VOILUTSequence] || image.photometric === "PALETTE COLOR");
}

async function palette_table(dataset, { descriptor, data, segmented }, connection) {
  if (dataset[data]) return table_of(dataset, descriptor, data, connection);
  const [told, first, bits] = numbers_of(dataset, descriptor, 3) ?? [0, 0, 8];
  const bytes = await fetched_bytes(dataset[segmented], connection);
  if (!bytes) return null;
  const wide = bits > 8;
  const words = Array.from({ length: bytes.length >> (wide ? 1 : 0) }, (_, one) => (wide ? bytes[one * 2] | (bytes[one * 2 + 1] << 8) : bytes[one]));
  return { first, bits, values: expanded(words, wide).slice(0, told || 65536), name: "" };
}

// Segments: 0 values, 1 a line to a value, 2 segments that were there before.
export function expanded(words, wide) {
  const values = [];
  const run = (from, count) => {
    let at = from;
    for (let segment = 0; segment < count && at < words.length; segment += 1) {
      const [kind, length] = [words[at], words[at + 1]];
      if (kind === 0) {
        values.push(...words.slice(at + 2, at + 2 + length));
        at += 2 + length;
      } else if (kind === 1) {
        const start = values.at(-1) ?? 0;
        for (let one = 1; one <= length; one += 1) values.push(Math.round(start + ((words[at + 2] - start) * one) / length));
        at += 3;
      } else if (kind === 2) {
        const offset = wide ? words[at + 2] | (words[at + 3] << 16) : words[at + 2] | (words[at + 3] << 8) | (words[at + 4] << 16) | (words[at + 5] << 24);
        run(wide ? offset >> 1 : offset, length);
        at += wide ? 4 : 6;
      } else return;
    }
  };
  run(0, Infinity);
  return values;
}

async function table_of(item, descriptor_tag, data_tag, connection) {
  const descriptor = numbers_of(item, descriptor_tag, 3);
  if (!descriptor) return null;
  const [told, first, bits] = descriptor;
  const length = told === 0 ? 65536 : told < 0 ? told + 65536 : told;
  const values = values_of(item, data_tag).length ? values_of(item, data_tag).map(Number) : await fetched(item[data_tag], length, connection);
  if (!values) return null;
  return { first, bits, values: values.slice(0, length), name: text_of(item, TAG.LUTExplanation) };
}

async function fetched(element, length, connection) {
  const bytes = await fetched_bytes(element, connection);
  if (!bytes) return null;
  if (bytes.length < length * 2) return Array.from(bytes); // 8 bits an entry
  return Array.from({ length }, (_, one) => bytes[one * 2] | (bytes[one * 2 + 1] << 8));
}

async function fetched_bytes(element, connection) {
  const inline = inline_bytes(element);
  if (inline || !element?.BulkDataURI) return inline;
  const answer = await connection.get(bulk_path(element.BulkDataURI), { accept: "application/octet-stream" });
  return new Uint8Array(answer.bytes);
}

// The entry for a value; below the first and above the last the ends hold.
export function entry_of(table, value) {
  const at = Math.round(value) - table.first;
  return table.values[at < 0 ? 0 : at >= table.values.length ? table.values.length - 1 : at];
}
