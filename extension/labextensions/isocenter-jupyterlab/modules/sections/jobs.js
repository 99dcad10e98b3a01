// Background work of the server: what runs, how far it is, and what failed a short while ago.

import { empty, h, show, symbol_button } from "../elements.js";

const LIVE = new Set(["Pending", "Running", "Paused", "Retry"]);
const STATES = { Pending: "waits", Paused: "paused", Retry: "tries again", Failure: "failed" };
const FAILED = 5; // failures that are shown
const HOUR = 3600_000;

/** @param {import("../panel.js").Context} context */
export function jobs_section(context) {
  const { server, dialogs } = context;
  const node = h("div", { class: "iso-jobs" });

  /** Read them again; false: this server has no jobs. */
  async function refresh() {
    let jobs;
    try {
      jobs = await server.json("/api/jobs?expand");
    } catch (error) {
      if (error.status === 404 || error.status === 405) return false;
      throw error;
    }
    const live = jobs.filter((job) => LIVE.has(job.State));
    const failed = jobs.filter((job) => job.State === "Failure" && Date.now() - moment(job.CompletionTime) < HOUR);
    const shown = [...live, ...failed.slice(-FAILED)];
    const key = JSON.stringify(shown.map(({ ID, State, Progress, ErrorDescription }) => [ID, State, Progress, ErrorDescription]));
    show(node, key, () => (shown.length ? [h("ul", {}, shown.map(row))] : [empty("Nothing runs: exports, transfers and other long work appear here.")]));
    return true;
  }

  function row(job) {
    const name = job.Type.replace(/([a-z])([A-Z])/g, "$1 $2");
    const state = STATES[job.State] ?? `${Math.round(job.Progress ?? 0)} %`;
    const failed = job.State === "Failure";
    const cancel = symbol_button("remove", `Cancel ${name}`, () => act(job, "cancel"));
    cancel.dataset.key = `cancel ${job.ID}`;
    return h(
      "li",
      { class: failed ? "iso-job iso-wrong" : "iso-job" },
      h(
        "div",
        { class: "iso-row" },
        h("span", { class: "iso-name iso-grow", title: job.ID }, name),
        h("span", { class: "iso-quiet" }, state),
        failed ? null : cancel,
      ),
      failed
        ? h("div", { class: "iso-quiet" }, job.ErrorDescription || job.ErrorDetails || "")
        : h("progress", { max: 100, value: job.Progress ?? 0, "aria-label": `Progress of ${name}` }),
    );
  }

  async function act(job, what) {
    try {
      await server.post(`/api/jobs/${encodeURIComponent(job.ID)}/${what}`, {});
    } catch (error) {
      dialogs.failed(error);
    }
    await context.refresh(false);
  }

  return { node, refresh };
}

/** `20261127T220500` or with fraction, UTC, in milliseconds; long ago where there is none. */
function moment(text) {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(text ?? "");
  if (!parts) return 0;
  const [year, month, ...rest] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, ...rest);
}
