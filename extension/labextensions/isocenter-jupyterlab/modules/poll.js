// Looking at the server again and again, while somebody can see the panel and never otherwise.

const PATIENCE = 60; // seconds between looks at most, after failures
const SHARE = 5; // a look that took t is not repeated before 5 t

/** Runs a task at once and then every so often; after a failure, later and later. */
export class Poll {
  /**
   * @param {(signal: AbortSignal) => Promise<boolean>} task true: all was well
   * @param {() => number} interval in seconds; 0 for one look only
   */
  constructor(task, interval) {
    this.task = task;
    this.interval = interval;
    this.visible = false;
    this.failures = 0;
    this._timer = 0;
    this._running = null;
    this._again = false;
    this._hidden = () => this._change();
    document.addEventListener("visibilitychange", this._hidden);
  }

  /** Whether the panel can be seen; a browser tab in the background is heeded by itself. */
  set seen(value) {
    if (this.visible === value) return;
    this.visible = value;
    this._change();
  }

  get active() {
    return this.visible && document.visibilityState === "visible";
  }

  /** Look now; while a look runs, once more after it. */
  async now() {
    clearTimeout(this._timer);
    if (this._running) {
      this._again = true;
      return this._running;
    }
    this._running = this._look();
    try {
      await this._running;
    } finally {
      this._running = null;
    }
    if (this._again) {
      this._again = false;
      return this.now();
    }
    return undefined;
  }

  /** The interval is another one. */
  changed() {
    this._change();
  }

  dispose() {
    this.visible = false;
    clearTimeout(this._timer);
    document.removeEventListener("visibilitychange", this._hidden);
  }

  _change() {
    clearTimeout(this._timer);
    if (this.active) this.now();
  }

  async _look() {
    const begun = performance.now();
    let well = false;
    try {
      well = await this.task();
    } catch (error) {
      console.warn("Isocenter:", error);
    }
    this.failures = well ? 0 : this.failures + 1;
    const took = (performance.now() - begun) / 1000;
    const interval = this.interval();
    if (!interval || !this.active) return;
    const wait = Math.min(interval * 2 ** Math.min(this.failures, 6), Math.max(PATIENCE, interval));
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this.active && this.now(), Math.max(wait, took * SHARE) * 1000);
  }
}
