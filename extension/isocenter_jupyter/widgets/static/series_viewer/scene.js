// Drawing the whole viewer on its canvas: cells with image, overlays, measurements and texts.
// Not here: what is shown (`viewer` holds the state), events.

import { draw_corners, draw_dose_legend, draw_letters, draw_measurements, draw_scale_bar, font, write } from "./decoration.js";
import { flat_drawing } from "./flat.js";
import { draw_layer } from "./layers.js";
import { lookup_table } from "./luts.js";
import { grid_cells, matrix_of } from "./placement.js";
import { webgl_drawing } from "./webgl.js";

const SMALL = 230; // CSS pixels: a cell below it says only its number

export class Scene {
  // preferred: "auto", "webgl" or "canvas".
  constructor(canvas, preferred = "auto") {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.preferred = preferred;
    this.tables = new WeakMap(); // pixels -> {key, table}
    this.drawn_with = "";
    this.warm = preferred === "webgl";
  }

  // Making WebGL ready takes longer than one image without it: the first image does not wait for it.
  async warm_up(redraw) {
    if (this.warm || this.preferred === "canvas") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
    webgl_drawing();
    this.warm = true;
    redraw();
  }

  get ratio() {
    return Math.min(globalThis.devicePixelRatio || 1, 2);
  }

  resize(width, height) {
    const { ratio } = this;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
  }

  // Cells in CSS pixels.
  cells(layout) {
    return grid_cells(this.width, this.height, layout[0], layout[1]);
  }

  // Draw cells of {frame, loaded, error, overlays: [{overlay, layer}], current, texts}; state has view, placement, …
  draw(cells, state) {
    const { context, ratio } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const places = this.cells(state.layout);
    cells.forEach((cell, one) => this.draw_cell(cell, places[one], scaled(places[one], ratio), state));
  }

  draw_cell(cell, place, device, state) {
    const { context, ratio } = this;
    if (!cell.loaded) return this.draw_absent(cell, device);
    const { frame, loaded } = cell;
    const matrix = this.device_matrix(frame, place, state.placement);
    context.save();
    context.beginPath();
    context.rect(device.x, device.y, device.width, device.height);
    context.clip();
    this.draw_image(frame, loaded, matrix, device, state);
    for (const { overlay, layer } of cell.overlays) draw_layer(context, overlay, layer, matrix, ratio);
    draw_measurements(context, frame, loaded, cell.measurements, cell.draft, matrix, ratio, device);
    this.draw_texts(cell, place, device, matrix, state);
    if (cell.current && state.layout[0] * state.layout[1] > 1) mark_current(context, device, ratio);
    context.restore();
  }

  device_matrix(frame, place, placement) {
    return matrix_of(placement, shape_of(frame), place).map((value) => value * this.ratio);
  }

  draw_image(frame, loaded, matrix, device, state) {
    const { pixels } = loaded;
    const drawing = this.drawing_for(pixels);
    const table = pixels.kind === "grey" ? this.table_of(frame, loaded, state.view) : null;
    drawing.draw(this.context, pixels, table, matrix, device, state.soft);
    this.drawn_with = drawing.name;
  }

  drawing_for(pixels) {
    const webgl = this.preferred === "canvas" || !this.warm ? null : webgl_drawing();
    return webgl?.can(pixels) ? webgl : flat_drawing;
  }

  table_of(frame, { pixels, tables }, view) {
    const key = JSON.stringify([view, frame.key]);
    const known = this.tables.get(pixels);
    if (known?.key === key) return known.table;
    const table = lookup_table(pixels, frame, tables, view);
    this.tables.set(pixels, { key, table });
    return table;
  }

  draw_texts(cell, place, device, matrix, state) {
    const { context, ratio } = this;
    if (!state.texts) return;
    if (Math.min(place.width, place.height) < SMALL) {
      context.font = font(ratio, 11);
      write(context, cell.number, device.x + device.width - 6 * ratio, device.y + device.height - 7 * ratio, { align: "right", ratio });
      return;
    }
    draw_letters(context, cell.frame, matrix, device, ratio);
    if (state.layout[0] * state.layout[1] > 1) {
      draw_corners(context, { bottom_right: cell.corners.bottom_right.slice(-1) }, device, ratio);
      return;
    }
    draw_scale_bar(context, cell.frame, matrix, device, ratio);
    draw_corners(context, cell.corners, device, ratio);
    const dose = cell.overlays.find(({ overlay }) => overlay.kind === "RTDOSE");
    if (dose) draw_dose_legend(context, dose.overlay, device, ratio);
  }

  draw_absent(cell, device) {
    const { context, ratio } = this;
    if (!cell.frame) return;
    context.font = font(ratio, 13);
    const text = cell.error ? `This image cannot be shown: ${cell.error}` : "…";
    write(context, text, device.x + device.width / 2, device.y + device.height / 2, { align: "center", ratio });
  }
}

export const shape_of = (frame) => ({ width: frame.image.columns, height: frame.image.rows, aspect: frame.aspect });

const scaled = ({ x, y, width, height }, ratio) => ({
  x: Math.round(x * ratio),
  y: Math.round(y * ratio),
  width: Math.round(width * ratio),
  height: Math.round(height * ratio),
});

function mark_current(context, { x, y, width, height }, ratio) {
  context.lineWidth = 2 * ratio;
  context.strokeStyle = "#4fa3ff";
  context.strokeRect(x + ratio, y + ratio, width - 2 * ratio, height - 2 * ratio);
}
