// Images drawn without WebGL: the table is applied here and the canvas places the picture. Same pixels, more slowly.

const pictures = new WeakMap(); // pixels -> {table, canvas}

export const flat_drawing = {
  name: "canvas",
  can: () => true,
  draw(context, pixels, table, matrix, cell, soft) {
    const picture = picture_of(pixels, table);
    context.save();
    context.beginPath();
    context.rect(cell.x, cell.y, cell.width, cell.height);
    context.clip();
    context.imageSmoothingEnabled = soft;
    context.imageSmoothingQuality = Math.hypot(matrix[0], matrix[1]) < 0.75 ? "high" : "low";
    context.setTransform(...matrix);
    context.drawImage(picture, 0, 0);
    context.restore();
  },
};

// A canvas of the size of the image with its colours.
export function picture_of(pixels, table) {
  const known = pictures.get(pixels);
  if (known && known.table === table) return known.canvas;
  const canvas = known?.canvas ?? document.createElement("canvas");
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext("2d").putImageData(new ImageData(colours_of(pixels, table), pixels.width, pixels.height), 0, 0);
  pictures.set(pixels, { table, canvas });
  return canvas;
}

export function colours_of(pixels, table) {
  if (pixels.kind === "colour") return pixels.rgba;
  const colours = new Uint32Array(pixels.positions.length);
  for (let one = 0; one < colours.length; one += 1) colours[one] = table[pixels.positions[one]];
  return new Uint8ClampedArray(colours.buffer);
}
