// Drawing overlays over an image that is placed already: filled masks with an edge, contours, dose wash and isodoses.
// Lines keep their width at any zoom. Not here: where the overlays come from.

import { css_colour } from "./colours.js";
import { between } from "./luts.js";
import { transformed } from "./placement.js";

const WASH = [[40, 40, 200], [30, 150, 235], [40, 200, 120], [240, 225, 60], [250, 140, 40], [225, 30, 40]];
const pictures = new WeakMap(); // layer -> {key, canvas}

// Draw a layer of an overlay; matrix maps image coordinates to the context's pixels, `ratio` is pixels a CSS pixel.
export function draw_layer(context, overlay, layer, matrix, ratio) {
  if (layer.masks) draw_masks(context, overlay, layer, matrix);
  if (layer.values) draw_dose(context, overlay, layer, matrix, ratio);
  if (layer.paths) draw_paths(context, overlay, layer, matrix, ratio);
}

function draw_masks(context, overlay, layer, matrix) {
  if (!layer.masks.some(({ part }) => part.visible)) return;
  const picture = kept(layer, mask_key(overlay), () => mask_picture(overlay, layer));
  context.save();
  context.setTransform(...matrix);
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0);
  context.restore();
}

const mask_key = (overlay) => JSON.stringify([overlay.opacity, overlay.parts.map((part) => [part.visible, part.colour])]);

function kept(layer, key, make) {
  const known = pictures.get(layer);
  if (known?.key === key) return known.canvas;
  const canvas = make();
  pictures.set(layer, { key, canvas });
  return canvas;
}

function mask_picture(overlay, { width, height, masks }) {
  const picture = new ImageData(width, height);
  for (const { part, mask } of masks) {
    if (part.visible) blend_mask(picture.data, mask, part.colour, overlay.opacity, width, height);
  }
  return canvas_of(picture);
}

// Colour over what is there (not premultiplied); pixels at the border of a mask are stronger.
function blend_mask(data, mask, colour, opacity, width, height) {
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const at = row * width + column;
      if (!mask[at]) continue;
      const inside =
        column > 0 && row > 0 && column < width - 1 && row < height - 1 &&
        mask[at - 1] && mask[at + 1] && mask[at - width] && mask[at + width];
      const alpha = (mask[at] / 255) * (inside ? opacity : Math.min(1, opacity + 0.45));
      const under = (data[at * 4 + 3] / 255) * (1 - alpha);
      const whole = alpha + under;
      for (let one = 0; one < 3; one += 1) data[at * 4 + one] = (colour[one] * alpha + data[at * 4 + one] * under) / whole;
      data[at * 4 + 3] = whole * 255;
    }
  }
}

function canvas_of(picture) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

function draw_paths(context, overlay, layer, matrix, ratio) {
  for (const part of new Set(layer.paths.map((path) => path.part))) {
    if (!part.visible) continue;
    const shape = new Path2D();
    for (const path of layer.paths) if (path.part === part) add_path(shape, path, matrix, ratio);
    context.fillStyle = css_colour(part.colour, overlay.opacity);
    context.fill(shape, "evenodd");
    outline(context, shape, part.colour, 1.6 * ratio);
  }
}

function add_path(shape, { points, closed, dots }, matrix, ratio) {
  const shown = points.map(([x, y]) => transformed(matrix, x, y));
  if (dots) {
    for (const [x, y] of shown) {
      shape.moveTo(x + 4 * ratio, y);
      shape.arc(x, y, 4 * ratio, 0, 2 * Math.PI);
    }
    return;
  }
  shown.forEach(([x, y], one) => (one ? shape.lineTo(x, y) : shape.moveTo(x, y)));
  if (closed) shape.closePath();
}

// A dark line below a bright one reads on any image.
export function outline(context, shape, colour, width) {
  context.lineJoin = "round";
  context.lineCap = "round";
  context.lineWidth = width * 2;
  context.strokeStyle = "rgba(0, 0, 0, 0.45)";
  context.stroke(shape);
  context.lineWidth = width;
  context.strokeStyle = css_colour(colour);
  context.stroke(shape);
}

function draw_dose(context, overlay, layer, matrix, ratio) {
  const picture = kept(layer, String(overlay.opacity), () => wash_picture(overlay, layer));
  const [a, b, c, d, e, f] = matrix;
  context.save();
  context.setTransform(a * layer.shrink, b * layer.shrink, c * layer.shrink, d * layer.shrink, e, f);
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, 0, 0);
  context.restore();
  for (const { part, segments } of layer.lines) {
    if (!part.visible || !segments.length) continue;
    const shape = new Path2D();
    for (let one = 0; one < segments.length; one += 4) {
      shape.moveTo(...transformed(matrix, segments[one], segments[one + 1]));
      shape.lineTo(...transformed(matrix, segments[one + 2], segments[one + 3]));
    }
    outline(context, shape, part.colour, 1.3 * ratio);
  }
}

// Below a twentieth of the highest dose nothing is washed, and it comes in softly.
function wash_picture(overlay, { width, height, values }) {
  const picture = new ImageData(width, height);
  for (let at = 0; at < values.length; at += 1) {
    const share = values[at] / overlay.most;
    if (!(share > 0.05)) continue;
    const [red, green, blue] = between(WASH, Math.min(1, share));
    picture.data.set([red, green, blue, 255 * overlay.opacity * Math.min(1, (share - 0.05) / 0.1)], at * 4);
  }
  return canvas_of(picture);
}
