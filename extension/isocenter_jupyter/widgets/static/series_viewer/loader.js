// Frames over DICOMweb (PS3.18 10.4): decoded pixels, the nearest first, a bounded cache, and nothing that nobody wants any more.
// Not here: which frame is shown.

import { decode_frame } from "./pixels.js";
import { has_tables, tables_of } from "./tables.js";

const AT_ONCE = 5;
const OCTETS = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1";

export class FrameLoader {
  // `connection.get(path, {accept, signal})` gives {status, bytes}; `root` is the path of the DICOMweb service.
  constructor(connection, root, { capacity = 256 * 2 ** 20 } = {}) {
    this.connection = connection;
    this.root = root;
    this.capacity = capacity;
    this.held = new Map(); // key -> loaded, in order of use
    this.size = 0;
    this.running = new Map(); // key -> {promise, abort, wanted}
    this.tables = new Map(); // instance -> promise
    this.queue = [];
    this.onload = () => {};
  }

  // What is loaded of a frame, or null: {pixels, tables}.
  peek(frame) {
    const loaded = this.held.get(frame.key);
    if (loaded) {
      this.held.delete(frame.key);
      this.held.set(frame.key, loaded);
    }
    return loaded ?? null;
  }

  // Waits for a frame.
  async load(frame) {
    return this.peek(frame) ?? (await this.start(frame));
  }

  // These frames are wanted now, the most wanted first: others that are on their way are given up.
  want(frames) {
    const keys = new Set(frames.map((frame) => frame.key));
    for (const [key, job] of this.running) {
      if (!keys.has(key) && !job.kept) job.abort.abort();
    }
    this.queue = frames.filter((frame) => !this.held.has(frame.key) && !this.running.has(frame.key));
    this.advance();
  }

  advance() {
    while (this.running.size < AT_ONCE && this.queue.length) {
      const frame = this.queue.shift();
      if (!this.held.has(frame.key) && !this.running.has(frame.key)) this.start(frame, false).catch(() => {});
    }
  }

  start(frame, kept = true) {
    const known = this.running.get(frame.key);
    if (known) {
      known.kept ||= kept;
      return known.promise;
    }
    const abort = new AbortController();
    const job = { abort, kept };
    job.promise = this.fetch(frame, abort.signal)
      .then((loaded) => this.keep(frame, loaded))
      .catch((error) => {
        if (!abort.signal.aborted) this.onload(frame, null, error);
        throw error;
      })
      .finally(() => {
        if (this.running.get(frame.key) === job) this.running.delete(frame.key);
        this.advance();
      });
    this.running.set(frame.key, job);
    return job.promise;
  }

  async fetch(frame, signal) {
    const bytes = await this.bytes(frame, signal);
    const tables = has_tables(frame) ? await this.tables_of(frame) : null;
    return { pixels: decode_frame(frame.image, bytes), tables };
  }

  // The bytes of one frame.
  async bytes(frame, signal) {
    const { study, series, uid } = frame.image;
    const path = `${this.root}/studies/${study}/series/${series}/instances/${uid}/frames/${frame.index + 1}`;
    const answer = await this.connection.get(path, { accept: OCTETS, signal });
    if (answer.status !== 200) throw new Error(problem_of(answer));
    return answer.bytes;
  }

  tables_of(frame) {
    const key = frame.image.uid; // a frame's own tables are rare enough to ask them of the first one
    if (!this.tables.has(key)) this.tables.set(key, tables_of(frame, this.connection));
    return this.tables.get(key);
  }

  keep(frame, loaded) {
    if (!this.held.has(frame.key)) this.size += size_of(loaded.pixels);
    this.held.set(frame.key, loaded);
    for (const [key, oldest] of this.held) {
      if (this.size <= this.capacity || key === frame.key) break;
      this.held.delete(key);
      this.size -= size_of(oldest.pixels);
    }
    this.onload(frame, loaded, null);
    return loaded;
  }

  close() {
    this.queue = [];
    for (const job of this.running.values()) job.abort.abort();
    this.held.clear();
  }
}

const size_of = (pixels) => (pixels.positions?.byteLength ?? 0) + pixels.stored.byteLength + (pixels.rgba?.byteLength ?? 0);

// What went wrong, in the server's words where it has some.
export function problem_of(answer) {
  try {
    const told = JSON.parse(new TextDecoder().decode(answer.bytes));
    const error = told.error ?? told;
    if (error?.message) return error.message;
  } catch {
    // no JSON
  }
  return `The server answered with status ${answer.status}`;
}

// The frames to have around one, the nearest first and more of them in the direction of travel.
export function neighbourhood(count, index, direction = 1, reach = 12) {
  const wanted = [index];
  const sign = direction < 0 ? -1 : 1;
  for (let step = 1; step <= reach; step += 1) {
    wanted.push(index + sign * step);
    if (step <= reach / 2) wanted.push(index - sign * step);
  }
  return wanted.filter((one) => one >= 0 && one < count);
}
