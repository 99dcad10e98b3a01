// What the panel asks: Jupyter's routes about the server, and through its proxy the server itself.
//
// The token of the server stays in Jupyter's server; a request here carries Jupyter's own credentials alone.

/** A request that was answered with an error, or not at all; `status` is 0 then. */
export class Refused extends Error {
  constructor(message, { status = 0, hint = "", detail = null } = {}) {
    super(message);
    this.name = "Refused";
    Object.assign(this, { status, hint: hint || "", detail });
  }
}

/**
 * The error that an answer tells: our shape, Jupyter's, or the bare status.
 * @param {number} status
 * @param {string} text
 */
export function refusal(status, text) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // a page or nothing
  }
  if (body?.error?.message) return new Refused(body.error.message, { status, ...body.error });
  const message = body?.message || { 403: "You may not do this", 404: "Not found" }[status];
  return new Refused(message || `The server answered ${status}`, { status, hint: body?.hint });
}

/** The routes of a data server and of the Jupyter server that leads to it. */
export class Server {
  /** @param {{services: any, coreutils: any}} jupyter */
  constructor(jupyter, settings) {
    this.jupyter = jupyter;
    this.settings = settings ?? jupyter.services.ServerConnection.makeSettings();
  }

  /** The address of a path of the data server, as this page reaches it. */
  url(path) {
    return this.jupyter.coreutils.URLExt.join(this.settings.baseUrl, "isocenter/proxy") + path;
  }

  /** The DICOMweb root of a dataset. */
  dicomweb(dataset) {
    return dataset === "main" ? "/dicom-web" : `/datasets/${encodeURIComponent(dataset)}/dicom-web`;
  }

  /** What Jupyter says about the server: runs, may be started, where it is. */
  state() {
    // Jupyter counts a look of ours as no activity, so that an idle server can be culled.
    return this._jupyter("?no_track_activity=1", "GET");
  }

  /** `start` or `stop`. */
  act(what) {
    return this._jupyter(`/${what}`, "POST");
  }

  /** The last lines of its log. */
  async log() {
    const told = await this._jupyter("/log", "GET");
    return typeof told === "string" ? told : (told.text ?? told.log ?? (told.lines ?? []).join("\n"));
  }

  /**
   * A JSON answer of the data server.
   * @param {string} path with its query
   * @param {{signal?: AbortSignal}} [how]
   */
  json(path, { signal } = {}) {
    return this._ask(this.url(path), { method: "GET", signal });
  }

  /** The same of a POST with a JSON body. */
  post(path, content, { signal } = {}) {
    return this._ask(this.url(path), { method: "POST", body: JSON.stringify(content), signal });
  }

  /** The same of a DELETE. */
  remove(path) {
    return this._ask(this.url(path), { method: "DELETE" });
  }

  _jupyter(path, method) {
    return this._ask(this.jupyter.coreutils.URLExt.join(this.settings.baseUrl, "isocenter/server") + path, { method });
  }

  async _ask(url, init) {
    const { ServerConnection } = this.jupyter.services;
    const headers = { Accept: "application/json" };
    if (init.body) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await ServerConnection.makeRequest(url, { cache: "no-cache", ...init, headers }, this.settings);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Refused("Jupyter's server does not answer", { hint: "is it still running?" });
    }
    const text = await answer.text();
    if (!answer.ok) throw refusal(answer.status, text);
    if (!text) return null;
    return (answer.headers.get("Content-Type") ?? "").includes("json") ? JSON.parse(text) : text;
  }
}
