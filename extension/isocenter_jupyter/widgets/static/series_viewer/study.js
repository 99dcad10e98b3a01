// What belongs on the images of a series: the segmentations, structure sets and doses of its study that refer to it
// or share its frame of reference. Not here: what they look like.

import { TAG, bulk_path, items_of, text_of, values_of } from "./attributes.js";
import { Dose } from "./dose.js";
import { OverlayPlanes, has_overlay_planes } from "./overlay_planes.js";
import { read_part10 } from "./part10.js";
import { Segmentation } from "./segmentation.js";
import { StructureSet } from "./structures.js";

const KINDS = ["SEG", "RTSTRUCT", "RTDOSE"];

// Overlays, one at a time as they are found. `chosen` is "auto" or a list of {study, series, instance?}; `frames` are those
// of the viewer; `json(path)` and `loader` ask the server.
async function* overlays_of(frames, chosen, loader) {
  const datasets = [...new Set(frames.map((frame) => frame.dataset))];
  if (chosen !== "none" && datasets.some(has_overlay_planes)) yield new OverlayPlanes(datasets, loader.connection);
  const places = chosen === "auto" ? await candidates(frames[0].image, loader) : Array.isArray(chosen) ? chosen : [];
  for (const { study, series, instance } of places) {
    const found = await loader.connection.json(`${loader.root}/studies/${study}/series/${series}/metadata`);
    for (const dataset of found) {
      if (instance && text_of(dataset, TAG.SOPInstanceUID) !== instance) continue;
      if (chosen === "auto" && !refers_to(dataset, frames)) continue;
      const made = await overlay_of(dataset, loader);
      if (made) yield made;
    }
  }
}

async function candidates(image, loader) {
  const series = await loader.connection.json(`${loader.root}/studies/${image.study}/series`);
  return (series ?? [])
    .filter((one) => KINDS.includes(text_of(one, TAG.Modality)) && text_of(one, TAG.SeriesInstanceUID) !== image.series)
    .map((one) => ({ study: image.study, series: text_of(one, TAG.SeriesInstanceUID) }));
}

export function refers_to(dataset, frames) {
  const own = frames[0];
  const series = items_of(dataset, TAG.ReferencedSeriesSequence).map((item) => text_of(item, TAG.SeriesInstanceUID));
  if (series.includes(own.image.series)) return true;
  const structures = items_of(dataset, "30060010");
  const places = [text_of(dataset, TAG.FrameOfReferenceUID), ...structures.map((item) => text_of(item, TAG.FrameOfReferenceUID))];
  return Boolean(own.frame_of_reference) && places.includes(own.frame_of_reference);
}

async function overlay_of(dataset, loader) {
  const modality = text_of(dataset, TAG.Modality);
  if (modality === "SEG") return new Segmentation(dataset, loader);
  if (modality === "RTSTRUCT") return new StructureSet(await whole(dataset, loader));
  if (modality !== "RTDOSE") return null;
  await fill_text(dataset, "3004000C", loader);
  return new Dose(dataset, loader);
}

// A structure set with its contours: from metadata, or from the object itself where those are bulk values.
async function whole(dataset, loader) {
  const bulky = items_of(dataset, "30060039").some((roi) => items_of(roi, "30060040").some((contour) => contour["30060050"]?.BulkDataURI));
  if (!bulky) return dataset;
  const path = [TAG.StudyInstanceUID, TAG.SeriesInstanceUID, TAG.SOPInstanceUID].map((tag) => text_of(dataset, tag));
  const answer = await loader.connection.get(`${loader.root}/studies/${path[0]}/series/${path[1]}/instances/${path[2]}`, {
    accept: "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
  });
  if (answer.status !== 200) throw new Error(`The structure set was not sent (status ${answer.status})`);
  return read_part10(answer.bytes);
}

// A long list of numbers that metadata only points to.
async function fill_text(dataset, tag, loader) {
  const element = dataset[tag];
  if (!element?.BulkDataURI || values_of(dataset, tag).length) return;
  const answer = await loader.connection.get(bulk_path(element.BulkDataURI), { accept: "application/octet-stream" });
  if (answer.status === 200) element.Value = new TextDecoder().decode(answer.bytes).trim().split("\\").map(Number);
}

export { overlays_of };
