// The overlays of a viewer and their layers for the frames that were shown lately: made once, kept, given up in time.

const KEPT = 48;

export class Shelf {
  // `changed(error)` is called when a layer is ready or an overlay came.
  constructor(changed) {
    this.changed = changed;
    this.overlays = []; // {overlay, visible, layers: Map of key -> layer, waiting: Map of key -> AbortController}
  }

  add(overlay, visible) {
    this.overlays.push({ overlay, visible, layers: new Map(), waiting: new Map(), error: null });
    this.changed(null);
  }

  // Overlays with their layers that can be drawn on a frame now; what is missing is being made.
  layers_of(frame, spacing) {
    const shown = [];
    for (const entry of this.overlays) {
      if (!entry.visible) continue;
      if (entry.layers.has(frame.key)) {
        const layer = entry.layers.get(frame.key);
        if (layer) shown.push({ overlay: entry.overlay, layer });
      } else this.make(entry, frame, spacing);
    }
    return shown.sort((a, b) => ORDER[a.overlay.kind] - ORDER[b.overlay.kind]);
  }

  // Layers for frames that nobody looks at any more are given up.
  only(keys) {
    for (const { waiting } of this.overlays) {
      for (const [key, abort] of waiting) if (!keys.has(key)) abort.abort();
    }
  }

  // Whether all layers of a frame are there.
  is_ready(frame) {
    return this.overlays.every((entry) => !entry.visible || entry.layers.has(frame.key));
  }

  async make(entry, frame, spacing) {
    if (entry.waiting.has(frame.key)) return;
    const abort = new AbortController();
    entry.waiting.set(frame.key, abort);
    try {
      const layer = await layer_of(entry.overlay, frame, spacing, abort.signal);
      entry.layers.set(frame.key, layer);
      if (entry.layers.size > KEPT) entry.layers.delete(entry.layers.keys().next().value);
      entry.error = null;
      this.changed(null);
    } catch (error) {
      if (abort.signal.aborted) return;
      entry.layers.set(frame.key, null);
      entry.error = error;
      this.changed(error);
    } finally {
      entry.waiting.delete(frame.key);
    }
  }

  close() {
    this.only(new Set());
  }
}

const ORDER = { RTDOSE: 0, SEG: 1, RTSTRUCT: 2, OVERLAY: 3 };

async function layer_of(overlay, frame, spacing, signal) {
  return overlay.kind === "RTSTRUCT" ? overlay.layer_of(frame, spacing) : overlay.layer_of(frame, signal);
}
