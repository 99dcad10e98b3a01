// Images drawn by WebGL2: 16-bit positions in an R16UI texture, looked up in a table of 256 x 256 colours.
// One context for all viewers of a page (browsers allow few); what it drew is copied to the viewer's canvas.
// Not here: the same without WebGL (`flat`).

import { inverse_of, scale_of } from "./placement.js";

const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

// Interpolation is between colours, after the table, as a canvas does it; several samples a pixel where an image shrinks.
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D positions;
uniform sampler2D colours;
uniform sampler2D table;
uniform bool grey;
uniform bool soft;
uniform int samples;
uniform vec2 size;
uniform float height;
uniform vec3 to_column;
uniform vec3 to_row;
out vec4 shown;
vec3 shade(ivec2 at) {
  at = clamp(at, ivec2(0), ivec2(size) - 1);
  if (!grey) return texelFetch(colours, at, 0).rgb;
  int position = int(texelFetch(positions, at, 0).r);
  return texelFetch(table, ivec2(position & 255, position >> 8), 0).rgb;
}
vec3 look(vec2 at) {
  if (!soft) return shade(ivec2(floor(at)));
  vec2 from = at - 0.5;
  ivec2 whole = ivec2(floor(from));
  vec2 part = fract(from);
  vec3 above = mix(shade(whole), shade(whole + ivec2(1, 0)), part.x);
  vec3 below = mix(shade(whole + ivec2(0, 1)), shade(whole + ivec2(1, 1)), part.x);
  return mix(above, below, part.y);
}
void main() {
  vec3 pixel = vec3(gl_FragCoord.x, height - gl_FragCoord.y, 1.0);
  vec2 middle = vec2(dot(to_column, pixel), dot(to_row, pixel));
  if (any(lessThan(middle, vec2(0.0))) || any(greaterThanEqual(middle, size))) discard;
  vec3 sum = vec3(0.0);
  for (int one = 0; one < samples * samples; one++) {
    vec2 shift = (vec2(one % samples, one / samples) + 0.5) / float(samples) - 0.5;
    vec3 at = pixel + vec3(shift, 0.0);
    sum += look(vec2(dot(to_column, at), dot(to_row, at)));
  }
  shown = vec4(sum / float(samples * samples), 1.0);
}`;

const UNIFORMS = ["positions", "colours", "table", "grey", "soft", "samples", "size", "height", "to_column", "to_row"];
const TEXTURE_BYTES = 192 * 2 ** 20;
const PAGE = Symbol.for("isocenter.series_viewer.webgl");

// The page's drawing by WebGL2, or null where there is none (or it was lost: asking again makes a new one).
export function webgl_drawing() {
  const known = globalThis[PAGE];
  if (known && !known.gl.isContextLost()) return known;
  try {
    globalThis[PAGE] = new WebglDrawing();
    return globalThis[PAGE];
  } catch {
    return null;
  }
}

class WebglDrawing {
  constructor() {
    this.name = "WebGL2";
    this.canvas = document.createElement("canvas");
    this.gl = this.canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!this.gl) throw new Error("This browser has no WebGL2");
    this.program = program_of(this.gl);
    this.places = Object.fromEntries(UNIFORMS.map((name) => [name, this.gl.getUniformLocation(this.program, name)]));
    this.largest = this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE);
    this.images = new Map(); // pixels -> texture, in order of use
    this.bytes = 0;
    this.tables = new Map(); // table -> texture, the last few
    this.dummy = { grey: texture(this.gl), colour: texture(this.gl) };
    upload_grey(this.gl, this.dummy.grey, new Uint16Array(1), 1, 1);
    upload_colour(this.gl, this.dummy.colour, new Uint8Array(4), 1, 1);
  }

  can(pixels) {
    return Math.max(pixels.width, pixels.height) <= this.largest && !this.gl.isContextLost();
  }

  // Draws pixels into a rectangle of a 2D context; matrix and cell in device pixels.
  draw(context, pixels, table, matrix, cell, soft) {
    const { gl } = this;
    const [width, height] = [Math.ceil(cell.width), Math.ceil(cell.height)];
    if (this.canvas.width < width || this.canvas.height < height) {
      this.canvas.width = Math.max(this.canvas.width, width);
      this.canvas.height = Math.max(this.canvas.height, height);
    }
    gl.viewport(0, this.canvas.height - height, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(this.program);
    this.bind(pixels, table);
    const [a, b, c, d, e, f] = inverse_of([...matrix.slice(0, 4), matrix[4] - cell.x, matrix[5] - cell.y]);
    gl.uniform3f(this.places.to_column, a, c, e);
    gl.uniform3f(this.places.to_row, b, d, f);
    gl.uniform2f(this.places.size, pixels.width, pixels.height);
    gl.uniform1f(this.places.height, this.canvas.height);
    gl.uniform1i(this.places.soft, soft ? 1 : 0);
    gl.uniform1i(this.places.samples, Math.min(8, Math.max(1, Math.ceil(1 / scale_of(matrix) - 0.5))));
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    context.drawImage(this.canvas, 0, 0, width, height, cell.x, cell.y, width, height);
  }

  bind(pixels, table) {
    const { gl, places } = this;
    const grey = pixels.kind === "grey";
    const image = this.image_of(pixels);
    const bound = [
      [places.positions, grey ? image : this.dummy.grey],
      [places.colours, grey ? this.dummy.colour : image],
      [places.table, grey ? this.table_of(table) : this.dummy.colour],
    ];
    bound.forEach(([place, made], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, made);
      gl.uniform1i(place, unit);
    });
    gl.uniform1i(places.grey, grey ? 1 : 0);
  }

  image_of(pixels) {
    const known = this.images.get(pixels);
    this.images.delete(pixels);
    const made = known ?? this.upload(pixels);
    this.images.set(pixels, made);
    for (const [oldest, image] of this.images) {
      if (this.bytes <= TEXTURE_BYTES || oldest === pixels) break;
      this.images.delete(oldest);
      this.gl.deleteTexture(image);
      this.bytes -= bytes_of(oldest);
    }
    return made;
  }

  upload(pixels) {
    const made = texture(this.gl);
    if (pixels.kind === "grey") upload_grey(this.gl, made, pixels.positions, pixels.width, pixels.height);
    else upload_colour(this.gl, made, new Uint8Array(pixels.rgba.buffer), pixels.width, pixels.height);
    this.bytes += bytes_of(pixels);
    return made;
  }

  table_of(table) {
    const known = this.tables.get(table);
    if (known) return known;
    const made = texture(this.gl);
    upload_colour(this.gl, made, new Uint8Array(table.buffer), 256, 256);
    this.tables.set(table, made);
    if (this.tables.size > 24) {
      const [oldest, image] = this.tables.entries().next().value;
      this.tables.delete(oldest);
      this.gl.deleteTexture(image);
    }
    return made;
  }
}

const bytes_of = (pixels) => pixels.width * pixels.height * (pixels.kind === "grey" ? 2 : 4);

function program_of(gl) {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "no shader");
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "corner");
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no program");
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  return program;
}

function texture(gl) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  return made;
}

function upload_grey(gl, made, values, width, height) {
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, width, height, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, values);
}

function upload_colour(gl, made, values, width, height) {
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, values);
}
