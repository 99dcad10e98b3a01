// Buttons above the image: tools, window presets, view, montage, overlays, 3-D, help.

import { h } from "../dom.js";
import { icon } from "./icons.js";
import { LAYOUTS, layout_name } from "./state.js";
import { show_volume } from "./volume.js";

const TOOLS = [
  ["window", "Window and level (w)"], ["pan", "Pan (p)"], ["zoom", "Zoom (z)"], ["scroll", "Scroll (s)"],
];
const MEASURES = [["distance", "Distance (d)"], ["angle", "Angle (a)"], ["region", "Ellipse: mean and deviation (e)"]];

export function toolbar_of(viewer) {
  const run = (command) => () => viewer.commands.run(command);
  const tools = [...TOOLS, ...MEASURES].map(([name, label]) => [name, button(name, label, run(`tool ${name}`))]);
  const presets = h("select", { class: "viewer-select", "aria-label": "Window preset", title: "Window preset (1 to 9)", onchange: () => choose(Number(presets.value)) });
  const layouts = h(
    "select",
    { class: "viewer-select", "aria-label": "Montage", title: "Montage (m)", onchange: () => run(`layout ${layouts.value}`)() },
    LAYOUTS.map((layout) => h("option", { value: layout.join(" ") }, layout_name(layout))),
  );
  const invert = button("invert", "Invert (i)", run("invert"));
  const overlays = button("layers", "Overlays (l)", run("panel"));
  const cube = viewer.model.get("_can_3d") ? button("cube", "In 3-D, by ipyniivue", () => show_volume(viewer)) : null;
  const clear = button("trash", "Remove all measurements", run("clear"));
  const element = h(
    "div",
    { class: "iso-bar viewer-bar", role: "toolbar", "aria-label": "Viewer tools" },
    group(tools.slice(0, TOOLS.length).map(([, made]) => made)),
    group([...tools.slice(TOOLS.length).map(([, made]) => made), clear]),
    group([presets, invert]),
    group([button("fit", "Fit (0)", run("fit")), button_text("1:1", "One to one (o)", run("one_to_one")), button("rotate", "Turn right (r)", run("rotate")), button("flip", "Flip (h)", run("flip"))]),
    group([layouts]),
    h("span", { class: "viewer-space" }),
    group([overlays, cube, button("full", "Full screen (f)", run("full")), button("help", "Keys (?)", run("help"))]),
  );
  let known = [];

  function choose(number) {
    if (!known[number]) return;
    const { invert: inverted, colours } = viewer.state.view;
    viewer.set({ view: { colours, invert: inverted, ...known[number].view } });
  }

  return {
    element,
    choose,
    opened() {
      layouts.disabled = viewer.frames.length < 2;
      refresh_layouts();
    },
    presets(found) {
      known = found;
      presets.replaceChildren(...found.map((preset, number) => h("option", { value: String(number) }, preset.name)), h("option", { value: "own", hidden: true }, "Own window"));
      presets.disabled = viewer.loaded?.pixels.kind === "colour";
    },
    refresh() {
      for (const [name, made] of tools) press(made, viewer.state.tool === name);
      press(invert, Boolean(viewer.state.view.invert));
      press(overlays, viewer.chrome.panel_is_open());
      clear.disabled = !viewer.state.measurements.length;
      overlays.classList.toggle("viewer-marked", viewer.shelf.overlays.length > 0);
      const at = known.length === 1 ? 0 : known.findIndex(({ view }) => same_view(view, viewer.state.view));
      presets.value = at < 0 ? "own" : String(at);
      refresh_layouts();
    },
  };

  function refresh_layouts() {
    const value = viewer.state.layout.join(" ");
    if (![...layouts.options].some((option) => option.value === value)) layouts.append(h("option", { value }, layout_name(viewer.state.layout)));
    layouts.value = value;
  }
}

function same_view(preset, view) {
  if (preset.mode !== view.mode) return false;
  if (preset.mode === "window") return Math.abs(preset.center - view.center) < 0.5 && Math.abs(preset.width - view.width) < 0.5;
  return (preset.window ?? 0) === (view.window ?? 0) && (preset.table ?? 0) === (view.table ?? 0);
}

const group = (made) => h("span", { class: "viewer-group" }, made);

function button(name, label, onclick) {
  return h("button", { type: "button", class: "viewer-button", title: label, "aria-label": label, onclick }, icon(name));
}

function button_text(text, label, onclick) {
  return h("button", { type: "button", class: "viewer-button viewer-button-text", title: label, "aria-label": label, onclick }, text);
}

function press(made, pressed) {
  made.setAttribute("aria-pressed", String(pressed));
}
