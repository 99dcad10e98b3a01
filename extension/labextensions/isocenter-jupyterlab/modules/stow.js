// Storing files over STOW-RS (PS3.18 10.5) from the browser: several a request, several requests at a time.
//
// Files are never read into memory here: a request's body is a Blob that refers to them. What cannot be DICOM by
// its first bytes is left out and listed. When a request tells a failure, its files are sent once more one by
// one, to learn which it was: storing the same bytes again changes nothing.

import { refusal, Refused } from "./server.js";
import { walk } from "./walk.js";

const MOST_FILES = 64;
const MOST_BYTES = 32 * 1024 * 1024;
const CONNECTIONS = 3;
const TRIES = 3;
const LONGEST_COMMENT = 64; // of Error Comment (LO); it was cut
const FAILED = ["00081198", "0008119A"];

/**
 * One upload, from choosing to its report. Emits `progress` when something is new.
 * @property {number} total files in all, once `listed`
 * @property {Array<{path: string, reason: string}>} refused by the server, or not readable
 * @property {Array<{path: string, reason: string}>} skipped as no DICOM objects
 */
export class Upload extends EventTarget {
  /**
   * @param {import("./server.js").Server} server
   * @param {string} dataset
   */
  constructor(server, dataset) {
    super();
    this.server = server;
    this.dataset = dataset;
    this.total = 0;
    this.bytes = 0;
    this.stored = 0;
    this.refused = [];
    this.skipped = [];
    this.listed = false;
    this.finished = false;
    this.fault = null;
    this._sent = 0;
    this._under_way = new Map();
    this._controller = new AbortController();
  }

  get canceled() {
    return this._controller.signal.aborted;
  }

  /** Bytes that have left, those of requests under way included. */
  get sent() {
    return [...this._under_way.values()].reduce((sum, bytes) => sum + bytes, this._sent);
  }

  /** Send no more; what is stored stays. */
  cancel() {
    this._controller.abort();
    this._tell();
  }

  /** @param {Array<File | FileSystemEntry>} sources */
  async run(sources) {
    try {
      const files = await this._list(sources);
      await this._send_all(files);
    } catch (error) {
      if (!this.canceled) this.fault = error;
      this._controller.abort();
    }
    this.finished = true;
    this._tell();
  }

  async _list(sources) {
    const files = [];
    for await (const one of walk(sources)) {
      if (this.canceled) break;
      if (one.file) {
        files.push(one);
        this.bytes += one.file.size;
      } else {
        this.refused.push({ path: one.path, reason: one.problem });
      }
      this.total += 1;
      if (this.total % 100 === 0) this._tell();
    }
    this.listed = true;
    this._tell();
    return files;
  }

  async _send_all(files) {
    const running = new Set();
    let failure = null;
    const start = async (batch) => {
      if (!batch.length) return;
      while (running.size >= CONNECTIONS) await Promise.race(running);
      if (failure || this.canceled) return;
      const one = this._send(batch)
        .catch((error) => {
          failure ??= error;
        })
        .finally(() => running.delete(one));
      running.add(one);
    };
    for await (const batch of this._batches(files)) {
      await start(batch);
      if (failure || this.canceled) break;
    }
    await Promise.all(running);
    if (failure) throw failure;
  }

  async *_batches(files) {
    let batch = [];
    let size = 0;
    for (const one of files) {
      if (this.canceled) return;
      const reason = await not_dicom(one);
      if (reason) {
        (reason === "cannot be read" ? this.refused : this.skipped).push({ path: one.path, reason });
        this._sent += one.file.size;
        this._tell();
        continue;
      }
      if (batch.length && (batch.length >= MOST_FILES || size + one.file.size > MOST_BYTES)) {
        yield batch;
        batch = [];
        size = 0;
      }
      batch.push(one);
      size += one.file.size;
    }
    yield batch;
  }

  async _send(batch) {
    const answer = await this._request(batch);
    const whole = answer.status === 200 || (answer.status === 202 && !failures(answer.module).length);
    if (whole) {
      this.stored += batch.length;
    } else if (batch.length > 1) {
      for (const one of batch) if (!this.canceled) await this._send([one]);
      return;
    } else {
      if (dooms_all(answer)) throw refusal(answer.status, answer.text);
      this.refused.push({ path: batch[0].path, reason: reason_of(answer) });
    }
    this._sent += size_of(batch);
    this._tell();
  }

  /** One request, again when the server is busy or the connection broke. */
  async _request(batch) {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this._post(batch);
      const again = answer.status === 0 || answer.status === 429 || answer.status === 503;
      if (!again) return answer;
      if (attempt === TRIES) {
        throw answer.status ? refusal(answer.status, answer.text) : new Refused("The connection to the server broke", { hint: "what is stored stays: upload the same again" });
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
    }
  }

  _post(batch) {
    const { settings } = this.server;
    const { type, body } = multipart(batch);
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    return new Promise((resolve, reject) => {
      if (this.canceled) return reject(new DOMException("canceled", "AbortError"));
      this._controller.signal.addEventListener("abort", stop);
      request.open("POST", this.server.url(`${this.server.dicomweb(this.dataset)}/studies`));
      request.setRequestHeader("Content-Type", type);
      request.setRequestHeader("Accept", "application/dicom+json");
      if (settings.token) request.setRequestHeader("Authorization", `token ${settings.token}`);
      const cookie = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]+)/);
      if (cookie) request.setRequestHeader("X-XSRFToken", decodeURIComponent(cookie[1]));
      request.upload.onprogress = (event) => {
        this._under_way.set(request, Math.min(event.loaded, size_of(batch)));
        this._tell();
      };
      request.onload = () => resolve({ status: request.status, text: request.responseText, module: module_of(request.responseText) });
      request.onerror = () => resolve({ status: 0, text: "", module: {} });
      request.onabort = () => reject(new DOMException("canceled", "AbortError"));
      request.send(body);
    }).finally(() => {
      this._under_way.delete(request);
      this._controller.signal.removeEventListener("abort", stop);
    });
  }

  _tell() {
    this.dispatchEvent(new Event("progress"));
  }
}

/** The body of a request: files as parts, referred to and not read. */
function multipart(batch) {
  const boundary = `isocenter-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  const parts = batch.flatMap(({ file }) => [`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]);
  return {
    type: `multipart/related; type="application/dicom"; boundary=${boundary}`,
    body: new Blob([...parts, `--${boundary}--\r\n`]),
  };
}

/** Why a file is not sent; empty for one that may be a DICOM object (PS3.10 7.1, or a data set without it). */
async function not_dicom({ path, file }) {
  if (/(^|\/)DICOMDIR$/i.test(path)) return "a directory of other files";
  let head;
  try {
    head = new Uint8Array(await file.slice(0, 132).arrayBuffer());
  } catch {
    return "cannot be read";
  }
  if (String.fromCharCode(...head.slice(128, 132)) === "DICM") return "";
  const group = head.length >= 132 && head[1] === 0 && head[3] === 0 && (head[0] === 2 || head[0] === 8);
  return group ? "" : "not DICOM";
}

function module_of(text) {
  try {
    const told = JSON.parse(text);
    return Array.isArray(told) ? (told[0] ?? {}) : (told ?? {});
  } catch {
    return {};
  }
}

function failures(module) {
  return FAILED.flatMap((tag) => module[tag]?.Value ?? []);
}

/** A refusal of the request itself, which every other would meet: credentials, rights, no such dataset, no room. */
function dooms_all({ status, module }) {
  return !failures(module).length && [401, 403, 404, 405, 507].includes(status);
}

function reason_of({ status, text, module }) {
  const item = failures(module)[0];
  if (!item) return refusal(status, text).message;
  const reason = (item["00081197"]?.Value?.[0] ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const comment = item["00000902"]?.Value?.[0] ?? `refused (${reason})`;
  return comment.length === LONGEST_COMMENT ? `${comment}…` : comment;
}

function size_of(batch) {
  return batch.reduce((sum, { file }) => sum + file.size, 0);
}
