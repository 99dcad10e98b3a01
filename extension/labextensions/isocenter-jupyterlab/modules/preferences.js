// The user's settings of the panel, with defaults until Jupyter has read them.

export const ID = "isocenter-jupyterlab:panel";

/** Emits `change` when a setting is another one. */
export class Preferences extends EventTarget {
  /** @param {any} registry Jupyter's; null where the application has none */
  constructor(registry) {
    super();
    this.values = { poll_interval: 5, side: "left", mask_identifiers: true, dataset: "main" };
    this._settings = null;
    registry?.load(ID).then(
      (settings) => {
        this._settings = settings;
        settings.changed.connect(() => this._read());
        this._read();
      },
      (error) => console.warn("Isocenter: its settings cannot be read", error),
    );
  }

  get poll_interval() {
    return Math.max(0, Number(this.values.poll_interval) || 0);
  }

  get side() {
    return this.values.side === "right" ? "right" : "left";
  }

  get masked() {
    return this.values.mask_identifiers !== false;
  }

  get dataset() {
    return this.values.dataset || "main";
  }

  /** Choose the dataset, here and in the settings file. */
  async choose(dataset) {
    this.values = { ...this.values, dataset };
    this.dispatchEvent(new Event("change"));
    await this._settings?.set("dataset", dataset);
  }

  _read() {
    this.values = { ...this.values, ...this._settings.composite };
    this.dispatchEvent(new Event("change"));
  }
}
