// A job's bar: follows the job by requests that the server answers when something has changed.

import { connect } from "./static/connection.js";
import { announcer, bytes_text, count_text, error_box, h } from "./static/dom.js";

const WAIT = 5; // seconds that the server may keep a request
const WINDOW = 15; // seconds that a rate looks back
const IN_BYTES = new Set(["archive"]); // kinds whose work is counted in bytes
const SIGNS = { Pending: "…", Running: "▶", Paused: "Ⅱ", Success: "✓", Failure: "✕" };

function render({ model, el }) {
  const connection = connect(model);
  const path = `/api/jobs/${encodeURIComponent(model.get("_job"))}`;
  const controller = new AbortController();
  const samples = [];
  let said = "";
  el.classList.add("iso", "iso-job");

  const sign = h("span", { class: "iso-job-sign", "aria-hidden": "true" }, "…");
  const title = h("b", { class: "iso-title" }, "Job");
  const state = h("span", { class: "iso-quiet" }, "asking the server");
  const cancel = h("button", { type: "button", hidden: true, onclick: end }, "Cancel");
  const fill = h("div", { class: "iso-job-fill" });
  const bar = h("div", { class: "iso-job-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": "Progress" }, fill);
  const line = h("div", { class: "iso-job-line iso-quiet" });
  const more = h("div", { class: "iso-job-more" });
  el.replaceChildren(
    h("div", { class: "iso-job-head" }, sign, title, state, h("span", { class: "iso-push" }), cancel),
    bar,
    line,
    more,
  );
  const say = announcer(el);
  follow();

  async function follow() {
    let revision = null;
    let failures = 0;
    while (!controller.signal.aborted) {
      try {
        const query = revision === null ? "" : `?since=${revision}&wait=${WAIT}`;
        const job = await connection.json(path + query, { signal: controller.signal });
        failures = 0;
        revision = job.Revision ?? null;
        show(job);
        if (["Success", "Failure"].includes(job.State)) return;
        if (revision === null) await pause(1000);
      } catch (error) {
        if (controller.signal.aborted) return;
        failures += 1;
        more.replaceChildren(error_box(error));
        if (error.status === 404 || failures > 5) {
          state.textContent = "not followed any more";
          cancel.hidden = true;
          return;
        }
        await pause(1000 * 2 ** failures);
      }
    }
  }

  function show(job) {
    const over = ["Success", "Failure"].includes(job.State);
    const cancelled = job.Error?.code === "cancelled";
    const known = job.Total > 0 || over;
    const percent = over && job.State === "Success" ? 100 : job.Progress;
    el.dataset.state = cancelled ? "Cancelled" : job.State;
    sign.textContent = cancelled ? "■" : SIGNS[job.State] || "…";
    title.textContent = job.Type ? job.Type[0].toUpperCase() + job.Type.slice(1).replaceAll("-", " ") : "Job";
    const word = { Pending: "waiting for its turn", Running: job.Phase || "running", Paused: "paused", Success: "done", Failure: cancelled ? "cancelled" : "failed" }[job.State];
    state.textContent = job.Cancelling ? "ending …" : word;
    cancel.hidden = over;
    cancel.disabled = Boolean(job.Cancelling);
    bar.classList.toggle("iso-job-unknown", !known);
    fill.style.width = known ? `${percent}%` : "";
    if (known) bar.setAttribute("aria-valuenow", String(percent));
    else bar.removeAttribute("aria-valuenow");
    const text = line_of(job, over, known);
    bar.setAttribute("aria-valuetext", `${state.textContent}, ${text}`);
    line.textContent = text;
    more.replaceChildren(...(over ? report(job, cancelled) : []));
    const step = `${title.textContent}: ${state.textContent}, ${Math.floor(percent / 25) * 25} percent`;
    if (step !== said) say((said = step));
    model.set("state", job.State);
    model.set("progress", percent);
    model.save_changes();
  }

  function line_of(job, over, known) {
    const runtime = job.EffectiveRuntime || 0;
    const done = job.Done || 0;
    const amount = IN_BYTES.has(job.Type) ? bytes_text : (count) => (count >= 10 || Number.isInteger(count) ? count_text(Math.round(count)) : count.toFixed(1));
    if (over) return [done ? amount(done) : null, duration(runtime)].filter(Boolean).join(" in ");
    samples.push([runtime, done]);
    while (samples.length > 2 && runtime - samples[0][0] > WINDOW) samples.shift();
    const [from, begun] = samples[0];
    const rate = runtime > from ? (done - begun) / (runtime - from) : runtime > 0 ? done / runtime : 0;
    const parts = [known ? `${amount(done)} of ${amount(job.Total)}` : done ? amount(done) : null];
    if (rate > 0) parts.push(`${amount(rate)} a second`);
    if (rate > 0 && known && done < job.Total) parts.push(`about ${duration((job.Total - done) / rate)} left`);
    return parts.filter(Boolean).join(" · ");
  }

  function report(job, cancelled) {
    const parts = [];
    if (job.State === "Failure" && !cancelled) parts.push(error_box({ message: "" }));
    if (parts.length) {
      const { message, hint } = job.Error || { message: job.ErrorDescription, hint: job.ErrorDetails };
      parts[0].replaceChildren(h("div", {}, h("b", {}, message || "It failed"), hint ? h("div", {}, hint) : null));
    }
    const facts = facts_of(job.Result);
    if (facts.length) parts.push(h("dl", { class: "iso-job-facts" }, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    if (job.Output) parts.push(download(job.Output));
    return parts;
  }

  function download({ Name: stored, Size: size, MediaType: type }) {
    const href = `${path}/${encodeURIComponent(stored)}`;
    const name = type === "application/zip" && !stored.endsWith(".zip") ? `${stored}.zip` : stored;
    const button = h("button", { type: "button", class: "iso-first" }, `Save ${name} (${bytes_text(size)})`);
    button.addEventListener("click", async () => {
      const link = h("a", { download: name });
      try {
        if (connection.direct) link.href = connection.direct + href.slice(1);
        else link.href = URL.createObjectURL(new Blob([(await connection.get(href)).bytes]));
        link.click();
      } catch (error) {
        more.append(error_box(error));
      }
    });
    return button;
  }

  async function end() {
    cancel.disabled = true;
    try {
      show(await connection.ask("cancel"));
    } catch (error) {
      more.replaceChildren(error_box(error));
      cancel.disabled = false;
    }
  }

  function pause(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, time);
      controller.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  return () => {
    controller.abort();
    connection.close();
  };
}

// A result as names and values: nothing nested, long lists by their number.
function facts_of(result) {
  if (!result || typeof result !== "object") return result === null || result === undefined ? [] : [["result", String(result)]];
  return Object.entries(result).flatMap(([name, value]) => {
    if (value === null || value === "") return [];
    const label = name.replaceAll("_", " ");
    if (Array.isArray(value)) return [[label, value.length <= 5 && value.every((one) => typeof one !== "object") ? value.join(", ") || "none" : count_text(value.length)]];
    if (typeof value === "object") return Object.entries(value).map(([part, one]) => [`${label}: ${part.replaceAll("_", " ")}`, typeof one === "number" ? count_text(one) : String(one)]);
    if (typeof value === "number") return [[label, /size|bytes/.test(name) ? bytes_text(value) : count_text(value)]];
    return [[label, String(value)]];
  });
}

function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export default { render };
