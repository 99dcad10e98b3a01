// Windows that people know by name, by modality, and the SUV factor of a PET (body weight). Numbers are centre and width.

import { TAG, items_of, number_of, text_of } from "./attributes.js";
import { has_tables } from "./tables.js";

const CT = [
  ["Brain", 40, 80], ["Stroke", 40, 40], ["Subdural", 80, 240], ["Soft tissue", 50, 400], ["Lung", -600, 1500],
  ["Mediastinum", 50, 350], ["Angiography", 300, 600], ["Bone", 500, 2000], ["Temporal bone", 700, 4000],
];
const CONE_BEAM = [["Dental", 700, 3000], ["Bone", 900, 2400], ["Enamel", 1800, 2600], ["Soft tissue", 50, 600]];

// Presets of a series: [{name, view}], those that the object brings and automatic ones first.
export function presets_of(frame, tables) {
  if (frame.image.samples > 1 || tables?.palette) return [{ name: "Colour", view: { mode: "object" } }];
  const own = frame.windows.map((one, window) => ({ name: one.name || own_name(window), view: { mode: "object", window } }));
  const voi = (tables?.voi ?? []).map((table, number) => ({ name: table.name || `Table ${number + 1}`, view: { mode: "table", table: number } }));
  const automatic = [{ name: "Auto", view: { mode: "auto" } }, { name: "Full range", view: { mode: "full" } }];
  return [...own, ...voi, ...automatic, ...named(frame)];
}

const own_name = (window) => (window ? `As stored ${window + 1}` : "As stored");

function named(frame) {
  if (frame.image.modality === "CT") {
    return (is_cone_beam(frame.dataset) ? CONE_BEAM : CT).map(([name, center, width]) => window_preset(name, center, width));
  }
  const factor = frame.image.modality === "PT" ? suv_factor(frame.dataset) : null;
  if (!factor) return [];
  return [5, 7, 10, 20].map((most) => window_preset(`SUV 0–${most}`, most / factor / 2, most / factor));
}

const window_preset = (name, center, width) => ({ name, view: { mode: "window", center, width } });

export function is_cone_beam(dataset) {
  const told = [TAG.ScanOptions, TAG.ManufacturerModelName, TAG.SeriesDescription].map((tag) => text_of(dataset, tag)).join(" ");
  return /cone.?beam|cbct|dvt/i.test(told);
}

// The view that a series opens with.
export function first_view(frame) {
  const invert = frame.image.modality === "PT";
  const suv = invert ? named(frame)[1] : null;
  const mode = frame.windows.length || has_tables(frame) ? "object" : "auto";
  return { mode, colours: "grey", ...(suv?.view ?? {}), invert };
}

// What a stored activity (Bq/ml) is multiplied by to give SUV by body weight (g/ml); null where the object lacks it.
// Decay is taken from the injection to the start of the series (DecayCorrection START).
export function suv_factor(dataset) {
  const units = text_of(dataset, "00541001");
  if (units === "GML") return 1;
  const weight = number_of(dataset, TAG.PatientWeight);
  const drug = items_of(dataset, "00540016")[0];
  const [dose, half_life] = [number_of(drug, "00181074"), number_of(drug, "00181075")];
  if (units !== "BQML" || !weight || !dose || !half_life) return null;
  const correction = text_of(dataset, "00541102");
  if (correction === "ADMIN") return (weight * 1000) / dose;
  const start = seconds(text_of(dataset, TAG.SeriesTime));
  const injected = seconds(text_of(drug, "00181072") || text_of(drug, "00181078").slice(8));
  if (correction !== "START" || start === null || injected === null) return null;
  const waited = (start - injected + 86400) % 86400; // over midnight too
  return (weight * 1000) / (dose * 2 ** (-waited / half_life));
}

function seconds(time) {
  const found = /^(\d\d)(\d\d)(\d\d(?:\.\d+)?)?/.exec(time);
  return found ? Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3] ?? 0) : null;
}
