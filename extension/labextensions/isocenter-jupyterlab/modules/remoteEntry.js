// The module-federation container that JupyterLab and Notebook 7 load, written by hand: no bundler, no Node.
//
// The page runs this file as a classic script, calls `init` with its share scope and `get` with the module that
// package.json names. A shared package is `scope[name][version]`, whose `get()` promises a factory of it; that
// much is the same in webpack's containers (JupyterLab 4.2) and in the federation runtime (4.6). Everything
// else is in plain ES modules beside this file, which the browser loads as they are.
//
// The folder is not called `static`: Jupyter tells browsers to keep files of that name for a year.
(() => {
  const NAME = "isocenter-jupyterlab";
  /** What the extension takes from the page, by the name it has in our modules. */
  const SHARED = {
    application: "@jupyterlab/application",
    apputils: "@jupyterlab/apputils",
    coreutils: "@jupyterlab/coreutils",
    filebrowser: "@jupyterlab/filebrowser",
    launcher: "@jupyterlab/launcher",
    notebook: "@jupyterlab/notebook",
    services: "@jupyterlab/services",
    settingregistry: "@jupyterlab/settingregistry",
    tree: "@jupyter-notebook/tree", // Notebook's file list alone has it
    ui: "@jupyterlab/ui-components",
    widgets: "@lumino/widgets",
  };
  const here = document.currentScript.src;
  let scope = {};

  /** The loaded version, else the newest: what bundlers choose for a package of which there is to be one. */
  function chosen(versions) {
    const names = Object.keys(versions);
    const newest = names.sort((a, b) => b.localeCompare(a, "en", { numeric: true }))[0];
    return names.find((name) => versions[name].loaded) ?? newest;
  }

  /** A package of the page; an empty one where the page has none. */
  async function shared(name) {
    const versions = scope[name];
    if (!versions || !Object.keys(versions).length) return {};
    const factory = await versions[chosen(versions)].get();
    return factory();
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init(given) {
      scope = given;
    },
    async get(module) {
      if (module !== "./extension") throw new Error(`${NAME} has no module ${module}`);
      const names = Object.keys(SHARED);
      const [{ plugins }, ...packages] = await Promise.all([
        import(new URL("extension.js", here).href),
        ...names.map((name) => shared(SHARED[name])),
      ]);
      const jupyter = Object.fromEntries(names.map((name, index) => [name, packages[index]]));
      return () => ({ __esModule: true, default: plugins(jupyter) });
    },
  };
})();
