// Background work of the server: what runs and how far it is, what it made, and what failed a short while ago.

import { bytes_text, empty, h, show, symbol_button } from "../elements.js";

const LIVE = new Set(["Pending", "Running", "Paused", "Retry"]);
const STATES = { Pending: "waits", Paused: "paused", Retry: "tries again", Failure: "failed" };
const OVER = 5; // jobs that are over and shown
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
    const recent = (job) => Date.now() - moment(job.CompletionTime) < HOUR && (job.State === "Failure" || job.Output);
    const live = jobs.filter((job) => LIVE.has(job.State));
    const shown = [...live, ...jobs.filter((job) => !LIVE.has(job.State) && recent(job)).slice(0, OVER)];
    const key = JSON.stringify(shown.map(({ ID, State, Progress, Phase, Cancelling }) => [ID, State, Progress, Phase, Cancelling]));
    show(node, key, () => (shown.length ? [h("ul", {}, shown.map(row))] : [empty("Nothing runs: exports, transfers and other long work appear here.")]));
    return true;
  }

  function row(job) {
    const name = job.Type.charAt(0).toUpperCase() + job.Type.slice(1).replace(/[-_]|(?<=[a-z])(?=[A-Z])/g, " ");
    const what = job.Content?.filename ?? job.Content?.cohort ?? "";
    const live = LIVE.has(job.State);
    return h(
      "li",
      { class: "iso-job" },
      h(
        "div",
        { class: "iso-row" },
        h("span", { class: "iso-name iso-grow", title: [name, what].filter(Boolean).join(" ") }, name, " ", h("span", { class: "iso-quiet" }, what)),
        h("span", { class: job.State === "Failure" ? "iso-wrong" : "iso-quiet iso-when" }, state_of(job)),
        ...buttons(job, name, live),
      ),
      live ? h("progress", { max: 100, value: job.Progress ?? 0, "aria-label": `Progress of ${name}` }) : null,
      job.State === "Failure" ? h("div", { class: "iso-quiet" }, [job.ErrorDescription, job.ErrorDetails].filter(Boolean).join(" — ")) : null,
    );
  }

  function buttons(job, name, live) {
    const keyed = (button, key) => {
      button.dataset.key = `${key} ${job.ID}`;
      return button;
    };
    if (live) return job.Cancelling ? [] : [keyed(symbol_button("remove", `Cancel ${name}`, () => act(job, "cancel")), "cancel")];
    if (job.State === "Failure") return [keyed(symbol_button("refresh", `Run ${name} again`, () => act(job, "resubmit")), "again")];
    const href = server.url(`/api/jobs/${job.ID}/${encodeURIComponent(job.Output.Name)}`);
    return [h("a", { href, download: true, "data-key": `output ${job.ID}` }, "Download")];
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

function state_of(job) {
  if (job.Cancelling) return "is canceled";
  if (job.State === "Success") return bytes_text(job.Output.Size);
  if (job.State !== "Running") return STATES[job.State];
  return [job.Phase, `${Math.round(job.Progress ?? 0)} %`].filter(Boolean).join(" ");
}

/** `20261127T220500` or with fraction, UTC, in milliseconds; long ago where there is none. */
function moment(text) {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(text ?? "");
  if (!parts) return 0;
  const [year, month, ...rest] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, ...rest);
}
