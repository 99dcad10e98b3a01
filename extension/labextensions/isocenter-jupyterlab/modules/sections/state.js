// The server: whether it runs, where, how much it holds; starting and stopping it, and its log.

import { bytes_text, count_text, h, short_text, show } from "../elements.js";

/** What a person calls each state, and the colour of its dot. */
const STATES = {
  running: ["Running", "well"],
  starting: ["Starting…", "busy"],
  stopping: ["Stopping…", "busy"],
  stopped: ["Stopped", "quiet"],
  failed: ["Failed", "bad"],
  unreachable: ["Not found", "bad"],
};

/** @param {import("../panel.js").Context} context */
export function state_section(context) {
  const { server, dialogs, commands } = context;
  const node = h("div", { class: "iso-state" });
  let state = null;
  let holds = null;
  let fault = null;

  /** Ask Jupyter; true: the server runs. */
  async function refresh() {
    try {
      state = await server.state();
      fault = null;
    } catch (error) {
      [state, fault] = [null, error];
    }
    if (state?.state !== "running") holds = null;
    draw();
    if (fault) throw fault;
    return state.state === "running";
  }

  /** How much the dataset in use holds; true: it is another amount than before. */
  async function measure(dataset) {
    const before = JSON.stringify(holds);
    holds = await server.json(`/api/statistics?dataset=${encodeURIComponent(dataset)}`);
    draw();
    return before !== JSON.stringify(holds);
  }

  function draw() {
    show(node, JSON.stringify([state, holds, fault?.message]), () => [line(), ...facts(), actions()]);
  }

  function line() {
    const [name, tone] = fault ? ["No answer", "bad"] : (STATES[state?.state] ?? [state?.state ?? "Looking…", "busy"]);
    const whose = state?.state !== "running" ? "" : state.mode === "attach" ? "attached" : state.managed ? "by this Jupyter" : "by another Jupyter";
    return h(
      "div",
      { class: "iso-row" },
      h("span", { class: `iso-dot iso-${tone}`, "aria-hidden": "true" }),
      h("b", { role: "status" }, name),
      h("span", { class: "iso-quiet iso-grow" }, whose),
      state?.version ? h("span", { class: "iso-quiet" }, state.version) : null,
    );
  }

  function facts() {
    const told = [];
    const dicom = state?.dicom;
    if (dicom?.port) told.push(["AE title", dicom.ae_title], ["DICOM", `${dicom.host}:${dicom.port}`]);
    if (state?.url) told.push(["HTTP", state.url.replace(/^http\+unix:.*|^unix:.*/, "through Jupyter alone")]);
    if (holds) told.push(["Size", bytes_text(holds.TotalDiskSize)]);
    const error = fault ?? state;
    const text = [error?.message, error?.hint].filter(Boolean).map((one) => one[0].toUpperCase() + one.slice(1));
    return [
      holds ? figures() : null,
      told.length ? h("dl", { class: "iso-facts" }, told.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { title: value }, value)])) : null,
      text.length ? h("div", { class: fault || state.state === "failed" ? "iso-error" : "iso-empty" }, text.map((one) => h("div", {}, one))) : null,
    ];
  }

  function figures() {
    const shown = [
      ["Patients", holds.CountPatients],
      ["Studies", holds.CountStudies],
      ["Series", holds.CountSeries],
      ["Instances", holds.CountInstances],
    ];
    const one = ([name, count]) => h("div", {}, h("dt", {}, name), h("dd", { title: count_text(count) }, short_text(count)));
    return h("dl", { class: "iso-figures" }, shown.map(one));
  }

  function actions() {
    const runs = state?.state === "running";
    const may_start = state?.mode === "supervise" && ["stopped", "failed"].includes(state.state);
    const may_stop = state?.mode === "supervise" && state.managed && ["running", "starting"].includes(state.state);
    const one = (key, text, onclick, title) => h("button", { type: "button", class: "iso-button", "data-key": key, onclick, title }, text);
    const buttons = [
      may_start && one("start", "Start", () => act("start"), "Start the server"),
      may_stop && one("stop", "Stop", () => act("stop"), "Stop the server"),
      runs && one("open", "Open archive", () => commands.execute("isocenter:open-archive"), "The archive's page, in a new tab"),
      state?.mode === "supervise" && one("log", "Log", () => commands.execute("isocenter:show-log"), "The last lines of the server's log"),
    ].filter(Boolean);
    return buttons.length ? h("div", { class: "iso-line" }, buttons) : null;
  }

  /** Start or stop it; stopping is asked about first. */
  async function act(what) {
    if (what === "stop" && !(await dialogs.sure("Stop the server?", "Notebooks and scanners do not reach it until it is started again.", "Stop"))) return;
    state = { ...state, state: what === "stop" ? "stopping" : "starting" };
    draw();
    try {
      await server.act(what);
    } catch (error) {
      dialogs.failed(error);
    }
    await context.refresh(true);
  }

  return {
    node,
    refresh,
    measure,
    act,
    get state() {
      return state;
    },
  };
}
