// From the bytes of an uncompressed frame to what is drawn and probed (PS3.3 C.7.6.3, PS3.5 8).
// Grey and palette frames become 16-bit positions in a lookup table; colour becomes RGBA. Not here: lookup tables.

// Result: {kind: "grey", width, height, positions: Uint16Array, stored: typed array, base, step, least, most}
// where stored value = base + position * step, or {kind: "colour", width, height, rgba, stored}.
export function decode_frame(image, buffer) {
  const expected = expected_bytes(image);
  if (buffer.byteLength < expected) {
    throw new Error(`The frame has ${buffer.byteLength} bytes where its header tells ${expected}`);
  }
  return image.samples >= 3 ? decode_colour(image, buffer) : decode_grey(image, buffer);
}

function expected_bytes(image) {
  const pixels = image.rows * image.columns;
  if (image.allocated === 1) return Math.ceil(pixels / 8);
  if (is_halved(image)) return pixels * 2;
  return (pixels * image.samples * (image.real || image.allocated)) / 8;
}

const is_halved = (image) => image.native && image.photometric === "YBR_FULL_422" && image.allocated === 8;

function decode_grey(image, buffer) {
  const stored = stored_values(image, buffer);
  const [least, most] = extent(stored);
  const shape = { kind: "grey", width: image.columns, height: image.rows, stored, least, most };
  if (!image.real && image.allocated <= 16) return { ...shape, ...narrow_positions(image, stored), step: 1 };
  const step = (most - least) / 65535 || 1;
  const positions = Uint16Array.from(stored, (value) => Math.round((value - least) / step));
  return { ...shape, positions, base: least, step };
}

function narrow_positions(image, stored) {
  if (!image.signed) return { positions: stored instanceof Uint16Array ? stored : Uint16Array.from(stored), base: 0 };
  const positions = new Uint16Array(stored.length);
  for (let one = 0; one < stored.length; one += 1) positions[one] = stored[one] + 32768;
  return { positions, base: -32768 };
}

// Values as stored, sign and unused bits seen to.
export function stored_values(image, buffer) {
  const count = image.rows * image.columns * image.samples;
  if (image.allocated === 1) return unpack_bits(new Uint8Array(buffer), count);
  const values = new (array_type(image))(aligned(buffer, (image.real || image.allocated) / 8, count));
  if (image.real || (image.stored === image.allocated && image.high_bit === image.allocated - 1)) return values;
  if (image.allocated > 16) return values;
  const shift = image.high_bit + 1 - image.stored;
  const unused = 32 - image.stored;
  const made = new values.constructor(count);
  for (let one = 0; one < count; one += 1) {
    const bits = (values[one] >> shift) << unused;
    made[one] = image.signed ? bits >> unused : bits >>> unused;
  }
  return made;
}

function array_type(image) {
  if (image.real) return image.real === 32 ? Float32Array : Float64Array;
  if (image.allocated === 8) return image.signed ? Int8Array : Uint8Array;
  if (image.allocated === 16) return image.signed ? Int16Array : Uint16Array;
  if (image.allocated === 32) return image.signed ? Int32Array : Uint32Array;
  throw new Error(`Pixels of ${image.allocated} bits are not shown`);
}

// Buffers of a comm may begin anywhere; typed arrays need a multiple of their size.
function aligned(buffer, size, count) {
  const view = buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return view.slice(0, count * size).buffer;
}

// One bit a pixel, least significant first (PS3.5 8.1.1).
export function unpack_bits(bytes, count) {
  const made = new Uint8Array(count);
  for (let one = 0; one < count; one += 1) made[one] = (bytes[one >> 3] >> (one & 7)) & 1;
  return made;
}

export function extent(values) {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least <= most ? [least, most] : [0, 0];
}

function decode_colour(image, buffer) {
  const stored = is_halved(image)
    ? unhalved(new Uint8Array(buffer), image.rows * image.columns)
    : interleaved(image, narrowed(image, stored_values(image, buffer)));
  const convert = image.native && image.photometric.startsWith("YBR");
  const rgba = new Uint8ClampedArray(image.rows * image.columns * 4);
  for (let from = 0, to = 0; to < rgba.length; from += 3, to += 4) {
    const [a, b, c] = [stored[from], stored[from + 1], stored[from + 2]];
    if (convert) write_ybr(rgba, to, a, b - 128, c - 128);
    else {
      rgba[to] = a;
      rgba[to + 1] = b;
      rgba[to + 2] = c;
    }
    rgba[to + 3] = 255;
  }
  return { kind: "colour", width: image.columns, height: image.rows, rgba, stored };
}

// YBR_FULL (PS3.3 C.7.6.3.1.2), the inverse of its matrix.
function write_ybr(rgba, to, y, blue, red) {
  rgba[to] = y + 1.402 * red;
  rgba[to + 1] = y - 0.344136 * blue - 0.714136 * red;
  rgba[to + 2] = y + 1.772 * blue;
}

function narrowed(image, values) {
  if (image.allocated === 8) return values;
  return Uint8Array.from(values, (value) => value >> (image.stored - 8));
}

function interleaved(image, values) {
  if (image.planar !== 1 || !image.native) return values;
  const count = image.rows * image.columns;
  const made = new Uint8Array(count * 3);
  for (let one = 0; one < count; one += 1) {
    for (let sample = 0; sample < 3; sample += 1) made[one * 3 + sample] = values[sample * count + one];
  }
  return made;
}

// Y1 Y2 Cb Cr for two pixels.
function unhalved(bytes, count) {
  const made = new Uint8Array(count * 3);
  for (let one = 0; one < count; one += 1) {
    const pair = (one >> 1) * 4;
    made[one * 3] = bytes[pair + (one & 1)];
    made[one * 3 + 1] = bytes[pair + 2];
    made[one * 3 + 2] = bytes[pair + 3];
  }
  return made;
}
