// The plugin: puts the panel where the application has room for it, and adds commands and launcher cards.
//
// Activation asks nothing of anybody: the first look at the server is when the panel is first seen.

import { dialogs_of } from "./dialogs.js";
import { icon_of } from "./icon.js";
import { Notebooks } from "./notebooks.js";
import { make_panel } from "./panel.js";
import { ID, Preferences } from "./preferences.js";
import { Server } from "./server.js";

const CATEGORY = "Isocenter";
const PAGES = ["/", "/viewers/ohif/", "/viewers/volview/"];

/**
 * The plugins of this extension.
 * @param {Record<string, any>} jupyter the packages of the page, by the names of `remoteEntry.js`
 */
export function plugins(jupyter) {
  const wanted = Object.entries({
    restorer: jupyter.application.ILayoutRestorer,
    palette: jupyter.apputils.ICommandPalette,
    tracker: jupyter.notebook.INotebookTracker,
    registry: jupyter.settingregistry.ISettingRegistry,
    launcher: jupyter.launcher.ILauncher,
    browser: jupyter.filebrowser.IDefaultFileBrowser,
    tree: jupyter.tree.INotebookTree,
  }).filter(([, token]) => token);
  return [
    {
      id: ID,
      description: "The Isocenter panel, its commands and launcher cards.",
      autoStart: true,
      optional: wanted.map(([, token]) => token),
      activate: (app, ...given) => {
        activate(app, jupyter, Object.fromEntries(wanted.map(([name], index) => [name, given[index]])));
      },
    },
  ];
}

function activate(app, jupyter, services) {
  style();
  const icon = icon_of(jupyter.ui);
  const server = new Server(jupyter, app.serviceManager.serverSettings);
  const preferences = new Preferences(services.registry);
  const dialogs = dialogs_of(jupyter.apputils, jupyter.widgets);
  const notebooks = new Notebooks(app, jupyter, services, preferences);
  const panel = make_panel(jupyter, { server, preferences, notebooks, dialogs, commands: app.commands });
  panel.id = "isocenter-panel";
  panel.title.icon = icon;
  panel.title.caption = "Isocenter";
  place(app, panel, services, preferences);
  add_commands(app, { server, notebooks, dialogs, panel, icon, tree: services.tree });
  offer(services);
}

/** Notebook's file list takes the panel as a tab beside the files; everything else has side bars. */
function place(app, panel, { tree, restorer }, preferences) {
  if (tree) {
    panel.title.label = "Isocenter";
    tree.addWidget(panel);
    return;
  }
  app.shell.add(panel, "left", { rank: 250, type: "Isocenter" });
  restorer?.add(panel, panel.id);
  // Not before the layout is restored, which puts every panel where it was; left is also where JupyterLab's own
  // "Switch Sidebar Side" may have taken it from, and is left to that unless the setting changes.
  let side = "left";
  preferences.addEventListener("change", async () => {
    await app.restored;
    if (preferences.side === side) return;
    side = preferences.side;
    app.shell.add(panel, side, { rank: 250, type: "Isocenter" });
  });
}

function add_commands(app, { server, notebooks, dialogs, panel, icon, tree }) {
  const add = (name, label, caption, execute, more = {}) =>
    app.commands.addCommand(`isocenter:${name}`, {
      label,
      caption,
      execute: (args) => Promise.resolve(execute(args)).catch((error) => dialogs.failed(error)),
      ...more,
    });
  const show = () => {
    if (tree) tree.currentWidget = panel;
    else app.shell.activateById(panel.id);
    panel.body.focus();
  };
  add("show-panel", "Show Isocenter", "Server, search, upload, datasets, cohorts and jobs", show, { icon });
  add("start-notebook", "Start Notebook", "A notebook that finds the server and looks around", ({ cwd }) => notebooks.start(cwd), { icon });
  add("open-archive", "Archive", "The archive's page, in a new tab", () => open_archive(server, show), { icon });
  add("refresh", "Look at the Server Again", "", () => panel.body.refresh(true));
  add("start-server", "Start the Server", "", () => panel.body.state.act("start"));
  add("stop-server", "Stop the Server", "", () => panel.body.state.act("stop"));
  add("show-log", "Show the Log of the Server", "", async () => {
    await dialogs.read("Log of the server", (await server.log()) || "It is empty, or the server was started elsewhere.");
  });
}

function offer({ palette, launcher }) {
  for (const name of ["show-panel", "start-notebook", "open-archive", "refresh", "start-server", "stop-server", "show-log"]) {
    palette?.addItem({ command: `isocenter:${name}`, category: CATEGORY });
  }
  launcher?.add({ command: "isocenter:start-notebook", category: CATEGORY, rank: 1 });
  launcher?.add({ command: "isocenter:open-archive", category: CATEGORY, rank: 2 });
}

/** The archive's own page, else a viewer that is installed, in a new tab; else the panel, which is always there. */
async function open_archive(server, show) {
  for (const path of PAGES) {
    const answer = await fetch(server.url(path), { headers: { Accept: "text/html" }, credentials: "same-origin" });
    const page = (answer.headers.get("Content-Type") ?? "").includes("html");
    await answer.body?.cancel();
    if (answer.ok && page) {
      window.open(server.url(path), "_blank", "noopener");
      return;
    }
  }
  show();
}

function style() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("style.css", import.meta.url).href;
  document.head.append(link);
}
