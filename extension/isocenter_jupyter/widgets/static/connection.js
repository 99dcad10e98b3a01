// What a widget asks its server: over same-origin HTTP where Jupyter offers that, else over its comm.
//
// connect(model) gives {get, json, post_json, ask, dataset, root, direct}. Paths are those of the data server,
// and begin with a slash. The token is in Python or in Jupyter's server, never here.

const PATIENCE = 120_000; // milliseconds that a kernel may be busy
const PROBE = 4_000;
let connections = 0;

export class RequestFailed extends Error {
  constructor(message, { status = 0, code = "error", hint = "", detail = null } = {}) {
    super(message);
    this.name = "RequestFailed";
    Object.assign(this, { status, code, hint, detail });
  }
}

// What to tell a person about an error: [what happened, what to do].
export function told(error) {
  if (error instanceof RequestFailed) return [error.message, error.hint || ""];
  return [error?.message || String(error), ""];
}

export function connect(model) {
  const comm = over_comm(model);
  const dataset = model.get("_dataset") || "main";
  const connection = {
    dataset,
    root: dataset === "main" ? "" : `/datasets/${encodeURIComponent(dataset)}`,
    direct: null, // the base URL of direct HTTP once it has shown to be the same server
    ready: null,
    // An answer of any status: {status, headers, bytes}; headers is an object with lower-case names.
    get: (path, { accept, headers = {}, signal } = {}) =>
      send("GET", path, accept ? { ...headers, Accept: accept } : headers, null, signal),
    async json(path, { signal } = {}) {
      return content_of(await send("GET", path, { Accept: "application/json" }, null, signal));
    },
    // A query that is posted. The answer is JSON, or rows where the server sends them one a line.
    async post_json(path, content, { accept = "application/json", signal } = {}) {
      const headers = { "Content-Type": "application/json", Accept: accept };
      return content_of(await send("POST", path, headers, JSON.stringify({ dataset, ...content }), signal));
    },
    // What the widget's Python class offers by name.
    async ask(name, content = null, { signal } = {}) {
      return content_of(await comm.send("ASK", name, {}, JSON.stringify(content), signal));
    },
    close: comm.close,
  };
  async function send(method, path, headers, body, signal) {
    if (connection.direct) {
      try {
        const answer = await over_http(connection.direct, method, path, headers, body, signal);
        if (answer) return answer;
      } catch (error) {
        if (error?.name === "AbortError") throw error;
      }
      connection.direct = null; // Jupyter or its proxy does not let us through any more
    }
    return comm.send(method, path, headers, body, signal);
  }
  connection.ready = model.get("_direct") ? probe(connection, comm, model.get("_identity")) : Promise.resolve(false);
  return connection;
}

// Bytes of a request or answer over the comm.
function over_comm(model) {
  const waiting = new Map();
  const prefix = `${Date.now().toString(36)}-${(connections += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  let count = 0;
  const receive = (message, buffers) => {
    const one = message?.isocenter === "answer" ? waiting.get(message.id) : null;
    if (one) one({ status: message.status, headers: message.headers || {}, bytes: bytes_of(buffers?.[0]) });
  };
  model.on("msg:custom", receive);
  function send(method, path, headers, body, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted());
      const id = `${prefix}-${(count += 1)}`;
      const give_up = (error) => {
        done();
        model.send({ isocenter: "cancel", id });
        reject(error);
      };
      const on_abort = () => give_up(aborted());
      const timer = setTimeout(() => give_up(silent()), PATIENCE);
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", on_abort);
        waiting.delete(id);
      };
      waiting.set(id, (answer) => {
        done();
        resolve(answer);
      });
      signal?.addEventListener("abort", on_abort);
      model.send({ isocenter: "request", id, method, path, headers, body });
    });
  }
  return { send, close: () => model.off("msg:custom", receive) };
}

async function over_http(base, method, path, headers, body, signal) {
  const sent = { ...headers };
  const cookie = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]+)/);
  if (cookie) sent["X-XSRFToken"] = decodeURIComponent(cookie[1]);
  const answer = await fetch(base + path.slice(1), {
    method,
    headers: sent,
    body: body ?? undefined,
    signal,
    credentials: "same-origin",
    redirect: "error",
  });
  if ([401, 403, 502, 503, 504].includes(answer.status)) return null; // the kernel's own token may do better
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers.entries()),
    bytes: await answer.arrayBuffer(),
  };
}

// Direct HTTP is used only when what answers there is the very server that the kernel talks to.
// `identity` is what Python knows of its server; without it the kernel is asked, which may be busy.
async function probe(connection, comm, identity) {
  const base = proxy_base();
  if (!base) return false;
  try {
    const accept = { Accept: "application/json" };
    const there = over_http(base, "GET", "/api/system", accept, null, AbortSignal.timeout(PROBE));
    there.catch(() => null);
    const here = identity ? { ServerIdentity: identity } : content_of(await comm.send("GET", "/api/system", accept, null));
    const found = await there;
    const system = found && found.status === 200 ? content_of(found) : {};
    const same = system.ServerIdentity && system.ServerIdentity === here.ServerIdentity;
    const offers = (system.Datasets || []).some((one) => one.Name === connection.dataset);
    if (same && offers) connection.direct = base;
  } catch {
    // no proxy, no rights, or another page than Jupyter's: the comm does it all
  }
  return Boolean(connection.direct);
}

function proxy_base() {
  if (typeof document === "undefined" || !/^https?:$/.test(location.protocol)) return null;
  let base = document.body?.dataset?.baseUrl;
  try {
    const told_by_jupyter = document.getElementById("jupyter-config-data")?.textContent;
    if (told_by_jupyter) base = JSON.parse(told_by_jupyter).baseUrl ?? base;
  } catch {
    return null;
  }
  if (!base) return null;
  const url = new URL(base.endsWith("/") ? base : `${base}/`, location.href);
  return url.origin === location.origin ? `${url.href}isocenter/proxy/` : null;
}

function content_of({ status, headers, bytes }) {
  const text = new TextDecoder().decode(bytes);
  const lines = (headers["content-type"] || "").includes("ndjson");
  let content = null;
  try {
    content = lines ? text.split("\n").filter(Boolean).map((line) => JSON.parse(line)) : JSON.parse(text || "null");
  } catch {
    if (status < 400) throw new RequestFailed("The server's answer cannot be read", { status });
  }
  if (status < 400) return content;
  const error = content?.error || {};
  throw new RequestFailed(error.message || `The server answered ${status}`, { status, ...error });
}

function bytes_of(buffer) {
  if (!buffer) return new ArrayBuffer(0);
  if (buffer instanceof ArrayBuffer) return buffer;
  const whole = buffer.byteOffset === 0 && buffer.byteLength === buffer.buffer.byteLength;
  return whole ? buffer.buffer : buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
}

function aborted() {
  return new DOMException("The request was given up", "AbortError");
}

function silent() {
  const hint = "is a cell still running, or was the kernel restarted? Run the cell of this widget again";
  return new RequestFailed("The kernel did not answer", { code: "timeout", hint });
}
