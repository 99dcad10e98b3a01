// Planes in the patient (PS3.3 C.7.6.2.1.1): from pixel to millimetre and back, order of slices, letters.
// Coordinates: `column` and `row` count from the centre of the first pixel; points are [x, y, z] in mm,
// L, P and H positive. Not here: pixels.

export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
export const norm = (a) => Math.hypot(a[0], a[1], a[2]);
export const along = (point, direction, length) => [
  point[0] + direction[0] * length,
  point[1] + direction[1] * length,
  point[2] + direction[2] * length,
];

// A plane, or null when orientation, position or spacing are missing or make none.
// `across` is the direction in which columns count, `down` that of rows; spacing is PixelSpacing: [rows, columns].
export function plane_of(orientation, position, spacing) {
  if (!orientation || orientation.length < 6 || !position || position.length < 3 || !spacing) return null;
  const across = unit(orientation.slice(0, 3));
  const down = unit(orientation.slice(3, 6));
  if (!across || !down || !(spacing[0] > 0) || !(spacing[1] > 0)) return null;
  const normal = unit(cross(across, down));
  if (!normal) return null;
  return { origin: position.slice(0, 3), across, down, normal, column_step: spacing[1], row_step: spacing[0] };
}

export function to_patient(plane, column, row) {
  return along(along(plane.origin, plane.across, column * plane.column_step), plane.down, row * plane.row_step);
}

// Where a point falls on the plane, and how far from it along the normal it is (mm).
export function to_image(plane, point) {
  const offset = minus(point, plane.origin);
  return {
    column: dot(offset, plane.across) / plane.column_step,
    row: dot(offset, plane.down) / plane.row_step,
    distance: dot(offset, plane.normal),
  };
}

// The position of a plane along a normal, in mm.
export const position_along = (plane, normal) => dot(plane.origin, normal);

export const is_parallel = (one, other) => Math.abs(dot(one.normal, other.normal)) > 0.9995;

// Columns and rows of one plane as a linear map of those of another:
// [column, row, distance] = start + column * by_column + row * by_row.
export function map_between(from, to) {
  const read = (point) => {
    const { column, row, distance } = to_image(to, point);
    return [column, row, distance];
  };
  const start = read(to_patient(from, 0, 0));
  return { start, by_column: minus(read(to_patient(from, 1, 0)), start), by_row: minus(read(to_patient(from, 0, 1)), start) };
}

const LETTERS = [["L", "R"], ["P", "A"], ["H", "F"]];

// The letters that a direction points to, the strongest first: "R", "AL", "HPR".
export function letters_of(direction) {
  return [0, 1, 2]
    .filter((axis) => Math.abs(direction[axis]) > 0.2)
    .sort((a, b) => Math.abs(direction[b]) - Math.abs(direction[a]))
    .map((axis) => LETTERS[axis][direction[axis] > 0 ? 0 : 1])
    .join("");
}

// Letters of the right and of the lower edge of an unturned image; of PatientOrientation where there is no plane.
export function edges_of(plane, patient_orientation) {
  if (plane) return { right: letters_of(plane.across), bottom: letters_of(plane.down) };
  const [right = "", bottom = ""] = patient_orientation ?? [];
  return { right, bottom };
}

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
export const opposite_of = (letters) => [...letters].map((one) => OPPOSITE[one] ?? "").join("");

// Which way a plane is cut, in words.
export function orientation_name(plane) {
  if (!plane) return "";
  const sizes = plane.normal.map(Math.abs);
  const largest = Math.max(...sizes);
  const name = ["sagittal", "coronal", "axial"][sizes.indexOf(largest)];
  return largest > 0.99 ? name : `oblique ${name}`;
}

function unit(vector) {
  const length = norm(vector);
  return length > 1e-6 && Number.isFinite(length) ? vector.map((value) => value / length) : null;
}
