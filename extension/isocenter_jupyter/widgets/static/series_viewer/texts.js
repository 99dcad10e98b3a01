// What the corners, the probe line and the screen reader say about a frame. Identifiers are masked unless allowed.

import { TAG, text_of } from "./attributes.js";
import { orientation_name, to_patient } from "./geometry.js";
import { modality_value, voi_of } from "./luts.js";
import { rounded } from "./measuring.js";
import { window_text } from "./state.js";

const MASK = "•••";

export function corners_of(frame, loaded, viewer) {
  const { dataset, image } = frame;
  const identified = viewer.show_identifiers;
  const name = text_of(dataset, TAG.PatientName).replaceAll("^", " ").trim();
  const number = text_of(dataset, TAG.SeriesNumber);
  return {
    top_left: [identified ? name : MASK, identified ? text_of(dataset, TAG.PatientID) : "", date_text(text_of(dataset, TAG.StudyDate))],
    top_right: [
      [text_of(dataset, TAG.Modality), number && `series ${number}`].filter(Boolean).join(" · "),
      text_of(dataset, TAG.SeriesDescription) || text_of(dataset, TAG.StudyDescription),
      `${image.columns} × ${image.rows}`,
    ],
    bottom_left: [view_text(frame, loaded, viewer.state.view), `${Math.round(viewer.magnification() * 100)} %`],
    bottom_right: [slice_text(frame), `${viewer.index_of(frame) + 1} / ${viewer.frames.length}`],
  };
}

export function view_text(frame, loaded, view) {
  if (!loaded || loaded.pixels.kind !== "grey") return "";
  if (loaded.tables?.palette) return "palette";
  return window_text(voi_of(view, frame, loaded.tables, loaded.pixels));
}

function slice_text(frame) {
  const { plane, thickness } = frame;
  if (!plane) return thickness ? `${thickness} mm thick` : "";
  const axis = plane.normal.map(Math.abs).indexOf(Math.max(...plane.normal.map(Math.abs)));
  const place = frame_place(frame, axis);
  return [orientation_name(plane), place, thickness ? `${Number(thickness.toFixed(2))} mm` : ""].filter(Boolean).join(" · ");
}

const frame_place = (frame, axis) => `${"xyz"[axis]} ${frame.plane.origin[axis].toFixed(1)}`;

const date_text = (date) => (/^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date);

// What is under the pointer, at image coordinates: value with unit, pixel, millimetres, and what overlays say there.
export function probe_text(frame, loaded, [x, y], shown, suv) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const { pixels, tables } = loaded;
  if (column < 0 || row < 0 || column >= pixels.width || row >= pixels.height) return "";
  const parts = [value_text(frame, pixels, tables, column, row, suv), `pixel ${column}, ${row}`];
  if (frame.plane) {
    const [px, py, pz] = to_patient(frame.plane, x - 0.5, y - 0.5).map((value) => value.toFixed(1));
    parts.push(`x ${px}  y ${py}  z ${pz} mm`);
  }
  for (const { overlay, layer } of shown) parts.push(...overlay_texts(overlay, layer, x, y, column, row));
  return parts.join("   ·   ");
}

function value_text(frame, pixels, tables, column, row, suv) {
  const at = row * pixels.width + column;
  if (pixels.kind === "colour") return `RGB ${[0, 1, 2].map((one) => pixels.rgba[at * 4 + one]).join(" ")}`;
  const stored = pixels.stored[at];
  const value = modality_value(frame, tables, stored);
  const told = frame.unit ? `${rounded_value(value)} ${frame.unit}` : rounded_value(value);
  const standard = suv ? `  SUV ${(value * suv).toFixed(2)}` : "";
  return value === stored ? told + standard : `${told}${standard}  (stored ${rounded_value(stored)})`;
}

const rounded_value = (value) => (Number.isInteger(value) ? String(value) : rounded(value));

function overlay_texts(overlay, layer, x, y, column, row) {
  if (overlay.kind === "RTDOSE") {
    const dose = overlay.at(layer, x, y);
    return dose === null ? [] : [`dose ${dose.toFixed(2)} ${overlay.unit}`];
  }
  if (overlay.kind !== "SEG") return [];
  return layer.masks.filter(({ part, mask }) => part.visible && mask[row * layer.width + column]).map(({ part }) => part.label);
}
