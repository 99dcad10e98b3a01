// Lookup tables that an object carries: Modality LUT, VOI LUT (PS3.3 C.11.1, C.11.2) and palette (C.7.6.3.1.5).
// Large ones are bulk data and are fetched. Not here: applying them (`luts`).

import { TAG, bulk_path, group_of, inline_bytes, items_of, numbers_of, text_of, values_of } from "./attributes.js";

const PALETTE = [["00281101", "00281201"], ["00281102", "00281202"], ["00281103", "00281203"]];

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
      ? await Promise.all(PALETTE.map(([descriptor, data]) => table_of(dataset, descriptor, data, connection)))
      : null;
  return { modality: modality[0] ?? null, voi: tables.filter(Boolean), palette: palette?.every(Boolean) ? palette : null };
}

export function has_tables(frame) {
  const { dataset, index, image } = frame;
  const transformation = group_of(dataset, index, TAG.PixelValueTransformation) ?? dataset;
  const voi = group_of(dataset, index, TAG.FrameVOILUT) ?? dataset;
  return Boolean(transformation[TAG.ModalityLUTSequence] || voi[TAG.VOILUTSequence] || image.photometric === "PALETTE COLOR");
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
  const inline = inline_bytes(element);
  if (!inline && !element?.BulkDataURI) return null;
  const bytes = inline ?? new Uint8Array((await connection.get(bulk_path(element.BulkDataURI), { accept: "application/octet-stream" })).bytes);
  if (bytes.length < length * 2) return Array.from(bytes); // 8 bits an entry
  return Array.from({ length }, (_, one) => bytes[one * 2] | (bytes[one * 2 + 1] << 8));
}

// The entry for a value; below the first and above the last the ends hold.
export function entry_of(table, value) {
  const at = Math.round(value) - table.first;
  return table.values[at < 0 ? 0 : at >= table.values.length ? table.values.length - 1 : at];
}
