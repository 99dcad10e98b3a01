// The frames of a series, in the order in which people scroll: by position along the normal, then by time or number.
// Not here: pixels (`pixels`), requests (`loader`).

import { TAG, group_of, items_of, number_of, numbers_of, text_of, value_of, values_of } from "./attributes.js";
import { dot, is_parallel, plane_of, position_along } from "./geometry.js";

// All frames of the instances of a series that have pixels, sorted.
export function frames_of(datasets) {
  const frames = datasets.filter(has_pixels).flatMap(frames_of_instance);
  return sorted_frames(frames);
}

export function has_pixels(dataset) {
  return number_of(dataset, TAG.Rows, 0) > 0 && number_of(dataset, TAG.Columns, 0) > 0;
}

function frames_of_instance(dataset) {
  const count = Math.max(1, number_of(dataset, TAG.NumberOfFrames, 1));
  const image = describe_image(dataset);
  return Array.from({ length: count }, (_, index) => describe_frame(dataset, image, index));
}

// What holds for all frames of an instance: how its pixels are stored.
export function describe_image(dataset) {
  const allocated = number_of(dataset, TAG.BitsAllocated, dataset[TAG.FloatPixelData] ? 32 : 16);
  const stored = number_of(dataset, TAG.BitsStored, allocated);
  return {
    uid: text_of(dataset, TAG.SOPInstanceUID),
    series: text_of(dataset, TAG.SeriesInstanceUID),
    study: text_of(dataset, TAG.StudyInstanceUID),
    rows: number_of(dataset, TAG.Rows),
    columns: number_of(dataset, TAG.Columns),
    samples: number_of(dataset, TAG.SamplesPerPixel, 1),
    photometric: text_of(dataset, TAG.PhotometricInterpretation, "MONOCHROME2"),
    planar: number_of(dataset, TAG.PlanarConfiguration, 0),
    allocated,
    stored,
    high_bit: number_of(dataset, TAG.HighBit, stored - 1),
    signed: number_of(dataset, TAG.PixelRepresentation, 0) === 1,
    real: dataset[TAG.FloatPixelData] ? 32 : dataset[TAG.DoublePixelData] ? 64 : 0,
    // the server decodes compressed colour to RGB; a length in the link says that pixels are stored as they are
    native: /[?&]length=/.test(dataset[TAG.PixelData]?.BulkDataURI ?? "") || Boolean(dataset[TAG.PixelData]?.InlineBinary),
    padding: numbers_of(dataset, TAG.PixelPaddingValue)?.concat(numbers_of(dataset, TAG.PixelPaddingRangeLimit) ?? []),
    modality: text_of(dataset, TAG.Modality),
  };
}

function describe_frame(dataset, image, index) {
  const transformation = group_of(dataset, index, TAG.PixelValueTransformation) ?? dataset;
  const voi = group_of(dataset, index, TAG.FrameVOILUT) ?? dataset;
  const measures = group_of(dataset, index, TAG.PixelMeasures) ?? dataset;
  const geometry = geometry_of(dataset, index, measures);
  return {
    dataset,
    image,
    index,
    key: `${image.uid}/${index + 1}`,
    ...geometry,
    slope: number_of(transformation, TAG.RescaleSlope, 1) || 1,
    intercept: number_of(transformation, TAG.RescaleIntercept, 0),
    unit: unit_of(transformation, image.modality),
    windows: windows_of(voi),
    voi_function: text_of(voi, TAG.VOILUTFunction, "LINEAR"),
    number: number_of(dataset, TAG.InstanceNumber, 0),
    time: time_of(dataset),
    thickness: number_of(measures, TAG.SliceThickness, number_of(dataset, TAG.SliceThickness)),
  };
}

function geometry_of(dataset, index, measures) {
  const spacing = numbers_of(measures, TAG.PixelSpacing, 2);
  const imager = numbers_of(dataset, TAG.ImagerPixelSpacing, 2);
  const ratio = numbers_of(dataset, TAG.PixelAspectRatio, 2);
  const region = region_spacing(dataset);
  const position = group_of(dataset, index, TAG.PlanePosition) ?? dataset;
  const orientation = group_of(dataset, index, TAG.PlaneOrientation) ?? dataset;
  const plane = plane_of(
    numbers_of(orientation, TAG.ImageOrientationPatient, 6),
    numbers_of(position, TAG.ImagePositionPatient, 3),
    spacing,
  );
  const known = positive(spacing) ?? region ?? positive(imager);
  return {
    plane,
    spacing: known,
    spacing_kind: positive(spacing) ? "pixel" : region ? "region" : known ? "imager" : "none",
    aspect: known ? known[0] / known[1] : positive(ratio) ? ratio[0] / ratio[1] : 1,
    patient_orientation: values_of(dataset, TAG.PatientOrientation),
    frame_of_reference: text_of(dataset, TAG.FrameOfReferenceUID),
  };
}

const positive = (pair) => (pair && pair[0] > 0 && pair[1] > 0 ? pair : null);

// [rows, columns] in mm of the one ultrasound region that measures length in both directions (PS3.3 C.8.5.5).
function region_spacing(dataset) {
  const regions = items_of(dataset, TAG.SequenceOfUltrasoundRegions).filter(
    (item) => value_of(item, "00186024") === 3 && value_of(item, "00186026") === 3,
  );
  const [x, y] = [number_of(regions[0], "0018602C"), number_of(regions[0], "0018602E")];
  return regions.length === 1 && x && y ? [Math.abs(y) * 10, Math.abs(x) * 10] : null; // told in cm
}

function unit_of(transformation, modality) {
  const type = text_of(transformation, TAG.RescaleType);
  if (type && type !== "US") return type;
  return modality === "CT" && number_of(transformation, TAG.RescaleIntercept) !== null ? "HU" : "";
}

function windows_of(dataset) {
  const centers = values_of(dataset, TAG.WindowCenter).map(Number);
  const widths = values_of(dataset, TAG.WindowWidth).map(Number);
  const names = values_of(dataset, TAG.WindowExplanation);
  return centers
    .map((center, one) => ({ center, width: widths[one], name: names[one] ?? "" }))
    .filter(({ center, width }) => Number.isFinite(center) && width > 0);
}

// Seconds of one frame of a cine; null where the object does not say.
export function time_of(dataset) {
  const milliseconds = number_of(dataset, TAG.FrameTime) ?? numbers_of(dataset, TAG.FrameTimeVector, 2)?.at(-1);
  if (milliseconds > 0) return milliseconds / 1000;
  const rate = number_of(dataset, TAG.RecommendedDisplayFrameRate) ?? number_of(dataset, TAG.CineRate);
  return rate > 0 ? 1 / rate : null;
}

// Frames that lie parallel are sorted along their normal; the others keep the order of instance and frame number.
export function sorted_frames(frames) {
  const first = frames.find((frame) => frame.plane)?.plane;
  const stack = Boolean(first) && frames.every((frame) => frame.plane && is_parallel(frame.plane, first));
  const place = (frame) => (stack ? Math.round(position_along(frame.plane, direction) * 1000) : 0);
  const direction = first ? upwards(first.normal) : null;
  return [...frames].sort(
    (a, b) => place(a) - place(b) || a.number - b.number || a.index - b.index || (a.key < b.key ? -1 : 1),
  );
}

// The normal that points to head, back or left, whichever it does most: series stored either way scroll alike.
function upwards(normal) {
  const sizes = normal.map(Math.abs);
  const axis = sizes.indexOf(Math.max(...sizes));
  return normal[axis] < 0 ? normal.map((value) => -value) : normal;
}

// Distance between neighbouring slices in mm (the median), or null.
export function slice_spacing(frames) {
  const first = frames.find((frame) => frame.plane)?.plane;
  if (!first) return null;
  const places = frames.filter((frame) => frame.plane).map((frame) => dot(frame.plane.origin, first.normal));
  const steps = places.slice(1).map((place, one) => Math.abs(place - places[one])).filter((step) => step > 1e-4);
  return steps.length ? steps.sort((a, b) => a - b)[steps.length >> 1] : null;
}

// Whether the frames follow in time, so that playing means their own speed.
export function is_cine(frames) {
  return frames.length > 1 && frames.every((frame) => frame.time !== null) && new Set(frames.map((f) => f.image.uid)).size === 1;
}
