// Contours of an RT structure set over images (PS3.3 C.8.8.5, C.8.8.6): on the slices whose planes they lie in.
// Not here: contours across the plane of an image (a sagittal view of axial contours shows none).

import { TAG, items_of, number_of, numbers_of, text_of } from "./attributes.js";
import { distinct } from "./colours.js";
import { to_image } from "./geometry.js";

export class StructureSet {
  constructor(dataset) {
    this.kind = "RTSTRUCT";
    this.uid = text_of(dataset, TAG.SOPInstanceUID);
    this.label = text_of(dataset, "30060002") || text_of(dataset, TAG.SeriesDescription) || "Structure set";
    this.opacity = 0; // lines alone: what encloses a body would tint all of it
    const names = new Map(items_of(dataset, "30060020").map((item) => [number_of(item, "30060022"), text_of(item, "30060026")]));
    this.parts = items_of(dataset, "30060039").map((item, place) => structure_of(item, place, names));
  }

  // Contours on an image: {paths: [{part, points: [[x, y]…] in image coordinates, closed}]}.
  // `spacing` is the distance between slices: a contour belongs to the slice that it is nearest to.
  layer_of(frame, spacing) {
    const within = spacing ? spacing / 2 : 0.5;
    const paths = [];
    for (const part of this.parts) {
      for (const contour of part.contours) {
        const points = frame.plane ? on_plane(frame.plane, contour.points, within) : named(frame, contour);
        if (points) paths.push({ part, points, closed: contour.closed, dots: contour.dots });
      }
    }
    return { paths };
  }
}

// Points as image coordinates when all lie within a distance (mm) of the plane; just between two slices counts
// for the lower one only.
export function on_plane(plane, points, within) {
  const made = [];
  for (const point of points) {
    const { column, row, distance } = to_image(plane, point);
    if (distance < -within - 1e-4 || distance >= within - 1e-4) return null;
    made.push([column + 0.5, row + 0.5]);
  }
  return made;
}

function named(frame, contour) {
  return contour.images.includes(frame.image.uid) ? contour.points.map(([x, y]) => [x + 0.5, y + 0.5]) : null;
}

function structure_of(item, place, names) {
  const number = number_of(item, "30060084", place + 1);
  return {
    number,
    label: names.get(number) || `ROI ${number}`,
    colour: numbers_of(item, "3006002A", 3) ?? distinct(place),
    visible: true,
    contours: items_of(item, "30060040").map(contour_of).filter((contour) => contour.points.length),
  };
}

function contour_of(item) {
  const numbers = numbers_of(item, "30060050", 3) ?? [];
  const type = text_of(item, "30060042");
  const points = [];
  for (let one = 0; one + 2 < numbers.length; one += 3) points.push(numbers.slice(one, one + 3));
  return {
    points,
    closed: type.startsWith("CLOSED"),
    dots: type === "POINT" || points.length === 1,
    images: items_of(item, "30060016").map((image) => text_of(image, TAG.ReferencedSOPInstanceUID)),
  };
}
