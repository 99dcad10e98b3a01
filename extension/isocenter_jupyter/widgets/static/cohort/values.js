// Values of a table as people read them.

export const MASK = "•••";

export function is_number(info) {
  return /^(u?int|float|double)/.test(info?.type || "") && !is_time(info);
}

export function is_time(info) {
  return /\bTM$/.test(info?.about || "");
}

export function cell_text(info, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((one) => cell_text(info, one)).join("\\");
  if (typeof value === "number") {
    if (is_time(info)) return time_text(value);
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  }
  if (/^timestamp/.test(info?.type || "")) return String(value).replace("T", " ").replace(/\.\d+/, "").replace(/\+00:00$/, "");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function time_text(micros) {
  const seconds = Math.floor(micros / 1e6);
  const two = (count) => String(count).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
