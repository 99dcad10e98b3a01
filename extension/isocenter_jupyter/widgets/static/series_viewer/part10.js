// Reading a whole object in Explicit VR Little Endian (PS3.10, PS3.5 7.1) into the DICOM JSON Model, as far as
// text and numbers go: for structure sets, whose contours are thousands of bulk values otherwise.
// Not here: other transfer syntaxes (the server converts), binary values (their place is kept empty).

const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const TEXT = new Set(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UI", "UC"]);
const UNTIL_END = 0xffffffff;

export function read_part10(buffer) {
  const view = buffer instanceof ArrayBuffer ? new DataView(buffer) : new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const reader = { view, at: 132, text: new TextDecoder("utf-8") };
  if (view.byteLength < 132 || view.getUint32(128, false) !== 0x4449434d) throw new Error("This is no DICOM file");
  return data_set(reader, view.byteLength);
}

function data_set(reader, end) {
  const made = {};
  while (reader.at + 8 <= end) {
    const { tag, vr, length } = head(reader);
    if (tag === "FFFEE00D") break;
    made[tag] = element(reader, vr, length);
  }
  return made;
}

function head(reader) {
  const { view } = reader;
  const tag = hex(view.getUint16(reader.at, true)) + hex(view.getUint16(reader.at + 2, true));
  reader.at += 4;
  if (tag.startsWith("FFFE")) {
    reader.at += 4;
    return { tag, vr: "", length: view.getUint32(reader.at - 4, true) };
  }
  const vr = String.fromCharCode(view.getUint8(reader.at), view.getUint8(reader.at + 1));
  const wide = LONG.has(vr);
  const length = wide ? view.getUint32(reader.at + 4, true) : view.getUint16(reader.at + 2, true);
  reader.at += wide ? 8 : 4;
  return { tag, vr, length };
}

const hex = (value) => value.toString(16).toUpperCase().padStart(4, "0");

function element(reader, vr, length) {
  if (vr === "SQ" || (vr === "UN" && length === UNTIL_END)) return { vr: "SQ", Value: items(reader, length) };
  if (length === UNTIL_END) throw new Error("Encapsulated pixels are not read here");
  const from = reader.at;
  reader.at += length;
  if (!length) return { vr };
  return { vr, Value: values(reader, vr, from, length) };
}

function values({ view, text }, vr, from, length) {
  if (TEXT.has(vr)) {
    const whole = text.decode(new Uint8Array(view.buffer, view.byteOffset + from, length)).replace(/[\0 ]+$/, "");
    const parts = whole.split("\\");
    if (vr === "DS" || vr === "IS") return parts.map(Number);
    return vr === "PN" ? parts.map((Alphabetic) => ({ Alphabetic })) : parts.map((part) => part.trim());
  }
  if (vr === "US") return Array.from({ length: length / 2 }, (_, one) => view.getUint16(from + one * 2, true));
  return [];
}

function items(reader, length) {
  const made = [];
  const end = length === UNTIL_END ? reader.view.byteLength : reader.at + length;
  while (reader.at + 8 <= end) {
    const item = head(reader);
    if (item.tag !== "FFFEE000") break; // the delimiter of the sequence
    made.push(data_set(reader, item.length === UNTIL_END ? end : reader.at + item.length));
  }
  return made;
}
