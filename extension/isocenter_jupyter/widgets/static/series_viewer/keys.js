// Keys of the viewer, as the help shows them and the stage obeys them. Letters as they are printed, upper case with Shift.

export const KEYS = [
  ["Images", [
    ["↑ ↓ ← →", "previous or next image", { ArrowUp: "previous", ArrowLeft: "previous", ArrowDown: "next", ArrowRight: "next" }],
    ["Page Up, Page Down", "ten images, or a page of the montage", { PageUp: "page_back", PageDown: "page_on" }],
    ["Home, End", "first, last", { Home: "first", End: "last" }],
    ["Space", "play, stop", { " ": "play" }],
    [", .", "slower, faster", { ",": "slower", ".": "faster" }],
    ["m", "montage: more cells", { m: "montage" }],
  ]],
  ["Window", [
    ["1 … 9", "presets, in the order of the list", {}],
    ["Shift + ← →", "narrower, wider", {}],
    ["Shift + ↑ ↓", "lower, raise the level", {}],
    ["i", "invert", { i: "invert" }],
    ["c", "colours: grey, hot, viridis", { c: "colours" }],
    ["x", "smooth or sharp pixels", { x: "soft" }],
  ]],
  ["Tools (left button)", [
    ["w, p, z, s", "window, pan, zoom, scroll", { w: "tool window", p: "tool pan", z: "tool zoom", s: "tool scroll" }],
    ["d, a, e", "distance, angle, ellipse", { d: "tool distance", a: "tool angle", e: "tool region" }],
    ["Delete", "remove the last measurement", { Delete: "remove", Backspace: "remove" }],
    ["Esc", "give up a measurement, close this", { Escape: "escape" }],
  ]],
  ["View", [
    ["+ −", "zoom", { "+": "zoom_in", "=": "zoom_in", "-": "zoom_out", "−": "zoom_out" }],
    ["0, o", "fit, one to one", { 0: "fit", o: "one_to_one" }],
    ["Alt + arrows", "pan", {}],
    ["r, h", "turn right, flip", { r: "rotate", h: "flip" }],
    ["l, v", "list of overlays, overlays on or off", { l: "panel", v: "overlays" }],
    ["t", "texts on or off", { t: "texts" }],
    ["f", "full screen", { f: "full" }],
    ["?", "this help", { "?": "help" }],
  ]],
  ["Mouse", [
    ["wheel", "images; with Ctrl: zoom", {}],
    ["middle, right button", "pan, zoom", {}],
    ["double click", "one cell of a montage, and back", {}],
  ]],
];

const COMMANDS = new Map(KEYS.flatMap(([, rows]) => rows.flatMap(([, , keys]) => Object.entries(keys))));

const SHIFTED = { ArrowLeft: "narrower", ArrowRight: "wider", ArrowUp: "lower", ArrowDown: "raise" };
const ALTERNATE = { ArrowLeft: "pan_left", ArrowRight: "pan_right", ArrowUp: "pan_up", ArrowDown: "pan_down" };

// The command of a key event, as words ("tool pan", "preset 3"), or null: the key is for somebody else.
export function command_of(event) {
  if (event.ctrlKey || event.metaKey) return null;
  if (event.altKey) return ALTERNATE[event.key] ?? null;
  if (event.shiftKey && SHIFTED[event.key]) return SHIFTED[event.key];
  if (/^[1-9]$/.test(event.key)) return `preset ${event.key}`;
  return COMMANDS.get(event.key) ?? null;
}
