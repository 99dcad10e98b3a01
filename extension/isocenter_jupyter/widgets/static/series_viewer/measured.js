// A measurement as Python gets it: points, length or angle or statistics, and where it is in the patient.

import { to_patient } from "./geometry.js";
import { angle_of, distance_of, length_unit, region_of } from "./measuring.js";

// Points are [column, row] with 0, 0 at the corner of the first pixel, as SCOORD has them (PS3.3 C.18.6.1.1).
export function told_measurement(measurement, viewer) {
  const index = viewer.frames.findIndex((frame) => frame.key === measurement.key);
  const frame = viewer.frames[index];
  const made = {
    type: measurement.type,
    points: measurement.points,
    index,
    SOPInstanceUID: frame.image.uid,
    frame: frame.index + 1,
    unit: length_unit(frame),
    spacing: frame.spacing_kind,
  };
  if (frame.plane) made.patient = measurement.points.map(([x, y]) => to_patient(frame.plane, x - 0.5, y - 0.5));
  return { ...made, ...values_of_measurement(measurement, frame, viewer) };
}

function values_of_measurement(measurement, frame, viewer) {
  if (measurement.type === "distance") return { length: distance_of(frame, measurement.points) };
  if (measurement.type === "angle") return { degrees: angle_of(frame, measurement.points) };
  const loaded = viewer.loader.peek(frame);
  const region = loaded ? region_of(frame, loaded, measurement.points) : null;
  return region ? { ...region, value_unit: frame.unit } : {};
}
