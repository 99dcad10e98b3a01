// Writing cells into the notebook in use, and making new notebooks. Not here: what is in the cells (`cells.js`).

import { beginning, connecting } from "./cells.js";

const START = "notebooks/00_start.ipynb";

/** The notebooks of the application, as the panel uses them. */
export class Notebooks {
  /**
   * @param {any} app
   * @param {any} jupyter the packages of the page
   * @param {{tracker?: any, browser?: any}} services
   * @param {import("./preferences.js").Preferences} preferences
   */
  constructor(app, jupyter, { tracker, browser }, preferences) {
    Object.assign(this, { app, jupyter, tracker, browser, preferences });
  }

  /**
   * Put code below the active cell of the notebook in use, or into a new notebook; it is not run.
   * Connecting comes first where the notebook does not do it yet.
   * @param {string} code
   */
  async insert(code) {
    const panel = this.tracker?.currentWidget;
    if (!panel || panel.isDisposed) {
      const made = await this.create([["code", connecting(this.preferences.masked)], ["code", code]]);
      at_the_end(made);
      return "new";
    }
    await panel.context.ready;
    const notebook = panel.content;
    const parts = connects(notebook.model) ? [code] : [connecting(this.preferences.masked), code];
    for (const part of parts) this._insert(notebook, part);
    this.app.shell.activateById(panel.id);
    return panel.title.label;
  }

  /**
   * Make a notebook of these cells beside the files in view and open it.
   * @param {Array<[string, string]>} cells kind and source
   * @param {string} [folder]
   */
  async create(cells, folder) {
    const { contents, kernelspecs } = this.app.serviceManager;
    const path = folder ?? this.browser?.model?.path ?? "";
    const made = await contents.newUntitled({ path, type: "notebook" });
    await kernelspecs.ready;
    const name = kernelspecs.specs?.default ?? "python3";
    const kernel = kernelspecs.specs?.kernelspecs[name];
    const content = {
      cells: cells.map(([kind, source]) => cell(kind, source)),
      metadata: { kernelspec: { name, display_name: kernel?.display_name ?? name, language: "python" } },
      nbformat: 4,
      nbformat_minor: 5,
    };
    await contents.save(made.path, { type: "notebook", format: "json", content });
    return this.app.commands.execute("docmanager:open", { path: made.path, factory: "Notebook" });
  }

  /** Open the first notebook of a checkout where there is one, else a new notebook that connects. */
  async start(folder) {
    if (await this._there(START)) {
      return this.app.commands.execute("docmanager:open", { path: START, factory: "Notebook" });
    }
    return this.create(beginning(this.preferences.dataset, this.preferences.masked), folder);
  }

  _insert(notebook, code) {
    const { NotebookActions } = this.jupyter.notebook;
    const active = notebook.activeCell;
    const free = active?.model.type === "code" && !active.model.sharedModel.getSource().trim();
    if (!free) NotebookActions.insertBelow(notebook);
    notebook.activeCell.model.sharedModel.setSource(code);
    notebook.deselectAll();
    notebook.mode = "command";
    notebook.scrollToItem?.(notebook.activeCellIndex).catch(() => undefined);
  }

  /** Whether a file is there, found by listing its folders: asking for one that is not would be an error. */
  async _there(path) {
    let folder = "";
    for (const name of path.split("/")) {
      const listed = await this.app.serviceManager.contents.get(folder);
      const found = (listed.content ?? []).find((one) => one.name === name);
      if (!found) return false;
      folder = found.path;
    }
    return true;
  }
}

/** Whether some cell of a notebook gives a name `archive`, or tries to connect. */
function connects(model) {
  for (const one of model.cells) {
    if (one.type === "code" && /^\s*archive\s*=|isocenter\.(connect|start)\s*\(/m.test(one.sharedModel.getSource())) return true;
  }
  return false;
}

/** The last cell of a notebook is the active one, so that what is inserted next comes behind it. */
async function at_the_end(panel) {
  if (!panel?.context || panel.isDisposed) return; // Notebook has opened it in a tab of its own
  await panel.context.ready;
  if (!panel.isDisposed) panel.content.activeCellIndex = panel.content.widgets.length - 1;
}

function cell(kind, source) {
  const id = crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, "0");
  const common = { cell_type: kind, id, metadata: {}, source };
  return kind === "code" ? { ...common, execution_count: null, outputs: [] } : common;
}
