// The panel: its sections one below the other, what is shown of them when, and when the server is looked at.

import { h, symbol_button } from "./elements.js";
import { Poll } from "./poll.js";
import { cohorts_section } from "./sections/cohorts.js";
import { datasets_section } from "./sections/datasets.js";
import { jobs_section } from "./sections/jobs.js";
import { search_section } from "./sections/search.js";
import { state_section } from "./sections/state.js";
import { upload_section } from "./sections/upload.js";

const SELDOM = 6; // every so many looks also at what nothing else tells to have changed

/**
 * What sections share.
 * @typedef {object} Context
 * @property {import("./server.js").Server} server
 * @property {import("./preferences.js").Preferences} preferences
 * @property {import("./notebooks.js").Notebooks} notebooks
 * @property {any} dialogs
 * @property {any} commands the application's
 * @property {(all: boolean) => Promise<void>} refresh
 */

/**
 * The panel as a widget of Lumino. Looks at the server only while it can be seen.
 * @param {any} jupyter the packages of the page
 * @param {Omit<Context, "refresh">} given
 */
export function make_panel(jupyter, given) {
  const body = new Body(given);
  class Panel extends jupyter.widgets.Widget {
    onAfterShow() {
      body.poll.seen = this.isVisible;
    }
    onAfterHide() {
      body.poll.seen = this.isVisible;
    }
    onAfterAttach() {
      body.poll.seen = this.isVisible;
    }
    onBeforeDetach() {
      body.poll.seen = false;
    }
    onActivateRequest() {
      body.focus();
    }
    dispose() {
      body.poll.dispose();
      super.dispose();
    }
  }
  const panel = new Panel({ node: body.node });
  panel.addClass("iso-panel");
  panel.body = body;
  return panel;
}

class Body {
  constructor(given) {
    this.preferences = given.preferences;
    /** @type {Context} */
    const context = { ...given, refresh: (all) => this.refresh(all) };
    this.state = state_section(context);
    this.search = search_section(context);
    this.upload = upload_section(context);
    this.datasets = datasets_section(context);
    this.cohorts = cohorts_section(context);
    this.jobs = jobs_section(context);
    this.parts = {
      state: part("Server", this.state.node, { tools: symbol_button("refresh", "Look at the server again", () => this.refresh(true)) }),
      search: part("Search", this.search.node),
      upload: part("Upload", this.upload.node),
      datasets: part("Datasets", this.datasets.node),
      cohorts: part("Cohorts", this.cohorts.node),
      jobs: part("Jobs", this.jobs.node),
    };
    this.node = h("div", { role: "region", "aria-label": "Isocenter", tabindex: "-1" }, Object.values(this.parts));
    this._all = true;
    this._looks = 0;
    this._seen_jobs = true;
    this._seen_cohorts = true;
    this.poll = new Poll(() => this._look(), () => this.preferences.poll_interval);
    this._only(["state"]);
    this.preferences.addEventListener("change", () => {
      this.upload.refresh();
      this._all = true;
      this.poll.changed();
    });
    drop_onto(this.node, (sources) => this.parts.upload.hidden || this.upload.begin(sources), this.upload.entries_of);
  }

  /** Look at once; `all`: also at what changes by the user's hand alone. */
  refresh(all) {
    this._all ||= all;
    return this.poll.now();
  }

  focus() {
    if (this.parts.search.hidden) this.node.focus();
    else this.search.focus();
  }

  /** One look at the server; true: all was well. */
  async _look() {
    this._looks += 1;
    const all = this._all || this._looks % SELDOM === 0;
    this._all = false;
    let runs = false;
    try {
      runs = await this.state.refresh();
    } finally {
      if (!runs) {
        this._all = true;
        if (!this.upload.busy) this._only(["state"]);
      }
    }
    if (!runs) return true;
    const other = await this._measured();
    const ran = [this._jobs(all)];
    if (all || other) ran.push(this.datasets.refresh(), this._cohorts(all), this.search.refresh());
    const results = await Promise.allSettled(ran);
    this.upload.refresh();
    const names = ["state", "search", "upload", "datasets"];
    if (this._seen_cohorts) names.push("cohorts");
    if (this._seen_jobs) names.push("jobs");
    this._only(names);
    const failed = results.filter((one) => one.status === "rejected");
    for (const { reason } of failed) console.warn("Isocenter:", reason?.message ?? reason);
    if (failed.length) this._all = true;
    return !failed.length;
  }

  /** How much there is; the dataset of the settings may be gone, and `main` always exists. */
  async _measured() {
    try {
      return await this.state.measure(this.preferences.dataset);
    } catch (error) {
      if (error.status !== 404 || this.preferences.dataset === "main") throw error;
      await this.preferences.choose("main");
      return true;
    }
  }

  async _jobs(all) {
    if (all || this._seen_jobs) this._seen_jobs = await this.jobs.refresh();
  }

  async _cohorts() {
    this._seen_cohorts = await this.cohorts.refresh();
  }

  _only(names) {
    for (const [name, element] of Object.entries(this.parts)) element.hidden = !names.includes(name);
  }
}

/** A section that can be folded, by mouse and keyboard alike. */
function part(title, content, { tools = null } = {}) {
  return h(
    "details",
    { class: "iso-part", open: true },
    h("summary", {}, h("h2", {}, title)),
    tools && h("div", { class: "iso-tools" }, tools),
    content,
  );
}

/** Let folders and files be dropped anywhere on the panel, and say so while they hover. */
function drop_onto(node, begin, entries_of) {
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    node.classList.toggle("iso-over", depth > 0);
  };
  node.addEventListener("dragenter", (event) => files(event) && over(1));
  node.addEventListener("dragleave", (event) => files(event) && over(-1));
  node.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  node.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    event.stopPropagation();
    over(-depth);
    begin(entries_of(event.dataTransfer));
  });
}
