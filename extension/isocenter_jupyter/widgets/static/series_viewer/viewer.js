// The viewer of a series: its state, what it loads, what it tells Python and screen readers.
// Not here: the elements around the canvas (`chrome`), drawing (`scene`), events (`input`), commands (`commands`).

import { connect } from "../connection.js";
import { chrome_of } from "./chrome.js";
import { commands_of } from "./commands.js";
import { frames_of, is_cine, slice_spacing } from "./frames.js";
import { listen } from "./input.js";
import { FrameLoader, neighbourhood } from "./loader.js";
import { voi_of } from "./luts.js";
import { told_measurement } from "./measured.js";
import { fit_scale } from "./placement.js";
import { Player } from "./player.js";
import { first_view, presets_of, suv_factor } from "./presets.js";
import { Scene, shape_of } from "./scene.js";
import { Shelf } from "./shelf.js";
import { first_state, held, page_of } from "./state.js";
import { overlays_of } from "./study.js";
import { corners_of, probe_text, view_text } from "./texts.js";

const PROBED_WITHIN = 400; // milliseconds: direct HTTP does not wait for a busy kernel, and is worth as much

export class Viewer {
  constructor(model, element) {
    this.began = performance.now();
    this.model = model;
    this.element = element;
    this.frames = [];
    this.state = first_state();
    this.show_identifiers = Boolean(model.get("_show_identifiers"));
    this.connection = connect(model);
    this.loader = new FrameLoader(this.connection, `${this.connection.root}/dicom-web`);
    this.loader.onload = (frame, loaded, error) => this.arrived(frame, error);
    this.shelf = new Shelf((error) => this.shelf_changed(error));
    this.errors = new Map(); // frame key -> error
    this.commands = commands_of(this);
    this.chrome = chrome_of(this);
    this.scene = new Scene(this.chrome.canvas, model.get("_drawing"));
    this.player = new Player(this);
    this.direction = 1;
    this.pending = 0;
    this.closers = [listen(this), this.watch_size(), this.watch_model()];
  }

  // Metadata, then the first image; overlays behind it.
  async open() {
    try {
      this.chrome.busy("Reading the series");
      await Promise.race([this.connection.ready, new Promise((resolve) => setTimeout(resolve, PROBED_WITHIN))]);
      const path = `${this.loader.root}/studies/${this.model.get("_study")}/series/${this.model.get("_series")}`;
      const instance = this.model.get("_instance");
      const found = await this.connection.json(`${path}${instance ? `/instances/${instance}` : ""}/metadata`);
      this.take(frames_of(found ?? []));
    } catch (error) {
      if (!this.closed) this.chrome.fail(error);
    }
  }

  take(frames) {
    if (!frames.length) throw new Error("This series has no images: the tag browser shows what it holds");
    this.frames = frames;
    this.spacing = slice_spacing(frames);
    this.suv = frames[0].image.modality === "PT" ? suv_factor(frames[0].dataset) : null;
    this.state.rate = is_cine(frames) ? 1 / frames[0].time : this.model.get("fps") || 10;
    this.state.view = { ...first_view(frames[0]), ...this.told_view() };
    this.state.layout = layout_from(this.model.get("montage"));
    const told = this.model.get("index");
    this.state.index = held(told ?? (is_cine(frames) ? 0 : Math.floor(frames.length / 2)), frames.length);
    this.take_measurements();
    this.chrome.opened();
    this.tell({ index: this.state.index, count: frames.length, fps: this.state.rate });
    this.show();
    this.gather_overlays();
  }

  get frame() {
    return this.frames[this.state.index];
  }

  get loaded() {
    return this.frame ? this.loader.peek(this.frame) : null;
  }

  index_of(frame) {
    this.places ??= new Map(this.frames.map((one, index) => [one.key, index]));
    return this.places.get(frame.key);
  }

  // Change the state, draw, and say what changed.
  set(change) {
    const before = this.state;
    this.state = { ...before, ...change };
    if ("index" in change) this.state.index = held(change.index, this.frames.length);
    this.direction = Math.sign(this.state.index - before.index) || this.direction;
    this.show();
    this.tell_changes(before);
  }

  // Ask for what is looked at and draw what is there.
  show() {
    if (!this.frames.length || this.closed) return;
    const page = page_of(this.state.index, this.state.layout, this.frames.length).filter((one) => one !== null);
    const reach = !this.drawn ? 0 : this.state.playing ? 24 : 12;
    const around = neighbourhood(this.frames.length, page.length > 1 ? page.at(-1) : this.state.index, this.direction, reach);
    const wanted = [...new Set([this.state.index, ...page, ...around])].map((one) => this.frames[one]);
    this.loader.want(wanted);
    this.shelf.only(new Set(page.map((one) => this.frames[one].key)));
    this.redraw();
  }

  redraw() {
    if (this.pending || this.closed) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    if (!this.frames.length || this.closed || !this.scene.width) return;
    const { state } = this;
    const pages = page_of(state.index, state.layout, this.frames.length);
    const single = pages.length === 1;
    if (single && !this.loaded && !this.errors.has(this.frame.key) && this.drawn) return this.chrome.waiting(true);
    this.chrome.waiting(!this.loaded && !this.errors.has(this.frame.key));
    this.scene.draw(pages.map((index) => this.cell(index)), state);
    if (this.loaded && !this.drawn) this.first_drawn();
    this.element.dataset.drawing = this.scene.drawn_with;
    this.tell_window();
    this.chrome.refresh();
  }

  cell(index) {
    if (index === null) return { frame: null, overlays: [] };
    const frame = this.frames[index];
    const loaded = this.loader.peek(frame);
    return {
      frame,
      loaded,
      error: this.errors.get(frame.key)?.message,
      number: String(index + 1),
      current: index === this.state.index,
      overlays: loaded && this.state.overlays_on ? this.shelf.layers_of(frame, this.spacing) : [],
      measurements: this.state.measurements.filter((one) => one.key === frame.key),
      draft: this.draft?.key === frame.key ? this.draft : null,
      corners: loaded ? corners_of(frame, loaded, this) : {},
    };
  }

  first_drawn() {
    this.drawn = true;
    this.element.dataset.firstImage = String(Math.round(performance.now() - this.began));
    this.chrome.presets(presets_of(this.frame, this.loaded.tables));
    this.announce();
    this.scene.warm_up(() => this.redraw());
    this.show(); // the neighbours, which the first image did not wait for
  }

  arrived(frame, error) {
    if (this.closed) return;
    if (error) this.errors.set(frame.key, error);
    else this.errors.delete(frame.key);
    const page = page_of(this.state.index, this.state.layout, this.frames.length);
    if (page.includes(this.index_of(frame))) this.redraw();
  }

  async gather_overlays() {
    const chosen = this.model.get("_chosen");
    try {
      for await (const overlay of overlays_of(this.frames, chosen, this.loader)) {
        if (this.closed) return;
        this.shelf.add(overlay, overlay.kind !== "RTDOSE" || Array.isArray(chosen));
      }
    } catch (error) {
      if (!this.closed) this.chrome.note(`Overlays could not be read: ${error.message}`);
    }
  }

  shelf_changed(error) {
    if (this.closed) return;
    if (error) this.chrome.note(`An overlay could not be read: ${error.message}`);
    this.chrome.panel();
    this.tell_overlays();
    this.redraw();
  }

  tell_overlays() {
    const found = this.shelf.overlays.map(({ overlay, visible }) => ({
      kind: overlay.kind,
      label: overlay.label,
      uid: overlay.uid,
      visible,
      parts: overlay.parts.map(({ number, label, visible: seen }) => ({ number, label, visible: seen })),
    }));
    this.tell({ found_overlays: found });
  }

  told_view() {
    const told = this.model.get("window");
    const view = told?.length === 2 ? { mode: "window", center: told[0], width: told[1] } : {};
    return this.model.get("invert") === null ? view : { ...view, invert: this.model.get("invert") };
  }

  // The window that is in effect on the current frame; null for colour.
  effective_window() {
    if (!this.loaded || this.loaded.pixels.kind !== "grey") return null;
    const voi = voi_of(this.state.view, this.frame, this.loaded.tables, this.loaded.pixels);
    return voi.table ? null : { center: voi.center, width: voi.width };
  }

  tell_window() {
    const voi = this.effective_window();
    if (!voi || this.player.running) return;
    const [center, width] = [voi.center, voi.width].map((value) => Number(value.toPrecision(6)));
    const told = this.model.get("window");
    if (told?.[0] !== center || told?.[1] !== width) this.tell({ window: [center, width] });
  }

  tell_changes(before) {
    const { state } = this;
    if (state.index !== before.index) this.tell({ index: state.index });
    if (state.layout !== before.layout) this.tell({ montage: [...state.layout] });
    if (state.view.invert !== before.view.invert) this.tell({ invert: Boolean(state.view.invert) });
    if (state.playing !== before.playing) this.tell({ playing: state.playing });
    if (state.rate !== before.rate) this.tell({ fps: state.rate });
    if (state.measurements !== before.measurements) {
      this.tell({ measurements: state.measurements.map((one) => told_measurement(one, this)) });
    }
    if (state.index !== before.index || state.view !== before.view) this.announce();
  }

  // Values for Python, sent together.
  tell(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.saving ||= setTimeout(() => {
      this.saving = 0;
      this.model.save_changes();
    }, this.state.playing ? 250 : 60);
  }

  announce() {
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => {
      if (this.closed || !this.frame || this.state.playing) return;
      const view = view_text(this.frame, this.loaded, this.state.view).replace("W ", "window width ").replace("L ", "level ");
      this.chrome.say(`Image ${this.state.index + 1} of ${this.frames.length}${view ? `, ${view}` : ""}`);
    }, 350);
  }

  take_measurements() {
    const told = this.model.get("measurements") ?? [];
    const keys = new Set(this.frames.map((frame) => frame.key));
    this.state.measurements = told
      .map(({ type, points, SOPInstanceUID, frame }) => ({ type, points, key: `${SOPInstanceUID}/${frame}` }))
      .filter((one) => keys.has(one.key) && one.points?.length > 1);
  }

  // Screen pixels that a column of the image takes.
  magnification() {
    const [place] = this.scene.cells(this.state.layout);
    return fit_scale(this.state.placement, shape_of(this.frame), place) * this.state.placement.zoom * this.scene.ratio;
  }

  // Text about what is under a point of the stage.
  probe(at) {
    const spot = this.spot(at);
    const loaded = spot && this.loader.peek(spot.frame);
    if (!loaded) return "";
    const shown = this.state.overlays_on ? this.shelf.layers_of(spot.frame, this.spacing) : [];
    return probe_text(spot.frame, loaded, spot.point, shown, this.suv);
  }

  // {frame, index, place, point in image coordinates} under a point of the stage, or null.
  spot([x, y]) {
    const places = this.scene.cells(this.state.layout);
    const at = places.findIndex((one) => x >= one.x && y >= one.y && x < one.x + one.width && y < one.y + one.height);
    const index = at < 0 ? null : page_of(this.state.index, this.state.layout, this.frames.length)[at];
    if (index === null || index === undefined) return null;
    const frame = this.frames[index];
    return { frame, index, place: places[at], point: this.commands.to_image(frame, places[at], [x, y]) };
  }

  watch_size() {
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = this.chrome.stage;
      if (!width || !height) return;
      this.scene.resize(width, height);
      this.draw();
    });
    observer.observe(this.chrome.stage);
    return () => observer.disconnect();
  }

  watch_model() {
    const follow = {
      index: () => this.model.get("index") !== null && this.model.get("index") !== this.state.index && this.set({ index: this.model.get("index") }),
      montage: () => String(this.model.get("montage")) !== String(this.state.layout) && this.set({ layout: layout_from(this.model.get("montage")) }),
      invert: () => Boolean(this.model.get("invert")) !== Boolean(this.state.view.invert) && this.set({ view: { ...this.state.view, invert: this.model.get("invert") } }),
      playing: () => this.model.get("playing") !== this.state.playing && this.player.toggle(),
      fps: () => this.model.get("fps") > 0 && this.model.get("fps") !== this.state.rate && this.set({ rate: this.model.get("fps") }),
      window: () => this.follow_window(),
      height: () => (this.chrome.body.style.height = `${this.model.get("height")}px`),
      overlays_shown: () => this.follow_overlays(),
      measurements: () => this.follow_measurements(),
    };
    const listeners = Object.entries(follow).map(([name, work]) => [`change:${name}`, () => this.frames.length && work()]);
    for (const [name, listener] of listeners) this.model.on(name, listener);
    return () => listeners.forEach(([name, listener]) => this.model.off(name, listener));
  }

  follow_window() {
    const told = this.model.get("window");
    const own = this.effective_window();
    if (told === null) return this.set({ view: { ...this.state.view, mode: "object" } });
    const same = own && [own.center, own.width].every((value, one) => Number(value.toPrecision(6)) === told[one]);
    if (!same) this.set({ view: { ...this.state.view, mode: "window", center: told[0], width: told[1] } });
  }

  follow_overlays() {
    const shown = this.model.get("overlays_shown");
    if (!shown) return;
    for (const entry of this.shelf.overlays) entry.visible = shown.includes(entry.overlay.uid) || shown.includes(entry.overlay.label);
    this.shelf_changed(null);
  }

  follow_measurements() {
    if (this.model.get("measurements").length === this.state.measurements.length) return;
    this.take_measurements();
    this.redraw();
  }

  close() {
    this.closed = true;
    cancelAnimationFrame(this.pending);
    [this.saving, this.announcing].forEach(clearTimeout);
    this.player.stop();
    this.closers.forEach((close) => close());
    this.shelf.close();
    this.loader.close();
    this.connection.close();
  }
}

const layout_from = (told) => (told?.length === 2 && told.every((one) => one >= 1 && one <= 8) ? [...told] : [1, 1]);
