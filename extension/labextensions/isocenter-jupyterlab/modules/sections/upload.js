// Uploading: a place to drop folders and files on, how far it is, and what became of every file.

import { bytes_text, count_text, counted, h, symbol_button, symbol_of } from "../elements.js";
import { Upload } from "../stow.js";
import { chosen_of, entries_of } from "../walk.js";

const LISTED = 200; // refused files that are shown

/** @param {import("../panel.js").Context} context */
export function upload_section(context) {
  const { preferences } = context;
  /** @type {Upload | null} */
  let upload = null;
  let frame = 0;

  const pick = (folder) =>
    h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      tabindex: "-1",
      webkitdirectory: folder,
      "data-pick": folder ? "folder" : "files",
      onchange: (event) => {
        begin(chosen_of(event.target));
        event.target.value = "";
      },
    });
  const [files, folder] = [pick(false), pick(true)];
  const target = h("b", {}, "main");
  const place = h(
    "div",
    { class: "iso-drop", role: "group", "aria-label": "Upload" },
    symbol_of("upload"),
    h("div", {}, "Drop a folder or DICOM files here, into ", target),
    h(
      "div",
      { class: "iso-line" },
      h("button", { type: "button", class: "iso-button", onclick: () => folder.click() }, "Folder…"),
      h("button", { type: "button", class: "iso-button", onclick: () => files.click() }, "Files…"),
    ),
  );
  const shown = h("div", { class: "iso-progress", hidden: true });
  const node = h("div", { class: "iso-upload" }, place, files, folder, shown);

  /** Start an upload of what was dropped or chosen, unless one is under way. */
  function begin(sources) {
    if (!sources.length || (upload && !upload.finished)) return;
    upload = new Upload(context.server, preferences.dataset);
    upload.addEventListener("progress", () => {
      frame ||= requestAnimationFrame(draw);
    });
    const mine = upload;
    mine.run(sources).then(() => {
      draw();
      context.refresh(true);
    });
    draw();
    shown.querySelector("button")?.focus();
  }

  function draw() {
    cancelAnimationFrame(frame);
    frame = 0;
    place.hidden = Boolean(upload && !upload.finished);
    shown.hidden = !upload;
    if (upload) shown.replaceChildren(...(upload.finished ? report(upload, close) : progress(upload)));
  }

  function close() {
    upload = null;
    draw();
    place.querySelector("button").focus();
  }

  return {
    node,
    begin,
    entries_of,
    /** Whether an upload is under way. */
    get busy() {
      return Boolean(upload && !upload.finished);
    },
    refresh() {
      target.textContent = preferences.dataset;
    },
  };

  function progress(one) {
    const bar = h("progress", { max: Math.max(one.bytes, 1), "aria-label": "Uploaded" });
    if (one.listed) bar.value = one.sent;
    const cancel = h("button", { type: "button", class: "iso-button", onclick: () => one.cancel() }, "Cancel");
    const text = one.listed
      ? `${count_text(one.stored)} of ${counted(one.total, "file")} · ${bytes_text(one.sent)} of ${bytes_text(one.bytes)}`
      : `Listing: ${counted(one.total, "file")}`;
    return [bar, h("div", { class: "iso-line iso-apart" }, h("span", {}, text), cancel)];
  }

  function report(one, on_close) {
    const parts = [one.canceled && !one.fault ? `Canceled: ${counted(one.stored, "file")} stored` : `${counted(one.stored, "file")} stored`];
    if (one.refused.length) parts.push(`${count_text(one.refused.length)} refused`);
    if (one.skipped.length) parts.push(`${count_text(one.skipped.length)} left out`);
    return [
      h(
        "div",
        { class: "iso-row" },
        h("span", { class: "iso-grow", role: "status" }, parts.join(", ")),
        symbol_button("remove", "Close this report", on_close),
      ),
      one.fault ? h("div", { class: "iso-error", role: "alert" }, one.fault.message, h("div", { class: "iso-quiet" }, one.fault.hint)) : null,
      details("Refused", one.refused, true),
      details("Left out", one.skipped, false),
    ].filter(Boolean);
  }

  function details(title, entries, open) {
    if (!entries.length) return null;
    const name = (path) => (preferences.masked ? path.split("/").pop() : path);
    const more = entries.length - LISTED;
    return h(
      "details",
      { class: "iso-files", open },
      h("summary", {}, `${title} (${count_text(entries.length)})`),
      h(
        "ul",
        {},
        entries.slice(0, LISTED).map(({ path, reason }) =>
          h("li", {}, h("span", { class: "iso-name", title: name(path) }, name(path)), h("span", { class: "iso-quiet" }, reason)),
        ),
        more > 0 ? h("li", { class: "iso-quiet" }, `and ${count_text(more)} more`) : null,
      ),
    );
  }
}
