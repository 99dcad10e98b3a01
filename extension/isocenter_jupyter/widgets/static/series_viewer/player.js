// Playing frames: at their own speed where the object tells it, waiting for those that are not there yet.

export class Player {
  constructor(viewer) {
    this.viewer = viewer;
    this.running = false;
    this.next_at = 0;
    this.tick = this.tick.bind(this);
  }

  toggle() {
    if (this.running) this.stop();
    else this.start();
  }

  start() {
    if (this.viewer.frames.length < 2) return;
    this.running = true;
    this.next_at = performance.now();
    this.viewer.set({ playing: true });
    this.request = requestAnimationFrame(this.tick);
  }

  stop() {
    cancelAnimationFrame(this.request);
    if (!this.running) return;
    this.running = false;
    if (!this.viewer.closed) this.viewer.set({ playing: false });
  }

  tick(now) {
    if (!this.running || this.viewer.closed) return;
    this.request = requestAnimationFrame(this.tick);
    if (now < this.next_at - 2) return;
    const { viewer } = this;
    const next = (viewer.state.index + 1) % viewer.frames.length;
    if (!viewer.loader.peek(viewer.frames[next]) && !viewer.errors.has(viewer.frames[next].key)) {
      viewer.loader.want([viewer.frames[next], ...ahead(viewer, next)]);
      return;
    }
    const step = 1000 / viewer.state.rate;
    this.next_at = now - this.next_at > step * 2 ? now + step : this.next_at + step;
    viewer.set({ index: next });
  }
}

// Frames behind one, around the end.
function ahead(viewer, index, count = 16) {
  const { frames } = viewer;
  return Array.from({ length: Math.min(count, frames.length - 1) }, (_, one) => frames[(index + 1 + one) % frames.length]);
}
