// A long list of rows of one height, of which only those that are seen are in the page.

const BEYOND = 8; // rows above and below what is seen
const TALLEST = 10_000_000; // pixels: browsers end elements at 17 to 33 million

// windowed({scroller, height, top}): `scroller` scrolls and is positioned; `top` is what its sticky header takes.
// show(count, make) draws rows made by make(index); redraw() makes the seen ones anew; reveal(index) scrolls to one.
// A list of more rows than an element may be tall scrolls faster than the pointer.
export function windowed({ scroller, height, top = 0, role = "rowgroup", moved = null }) {
  const space = document.createElement("div");
  space.setAttribute("role", role);
  space.style.position = "relative";
  scroller.append(space);
  let count = 0;
  let make = () => document.createElement("div");
  let drawn = new Map();
  let frame = 0;

  // How far down the list is scrolled, in pixels of a list as tall as it would like to be.
  const whole = () => count * height;
  const seen = () => Math.max(height, (scroller.clientHeight || 400) - top);
  const scale = () => (whole() <= TALLEST ? 1 : (whole() - seen()) / (TALLEST - seen()));
  const offset = () => scroller.scrollTop * scale();

  function range() {
    const first = Math.max(0, Math.floor(offset() / height) - BEYOND);
    return [first, Math.min(count, first + Math.ceil(seen() / height) + 2 * BEYOND)];
  }

  function draw(anew) {
    const [first, last] = range();
    const kept = new Map();
    const shift = whole() <= TALLEST ? 0 : scroller.scrollTop - offset();
    for (let index = first; index < last; index += 1) {
      let element = anew ? null : drawn.get(index);
      if (!element) {
        element = make(index);
        Object.assign(element.style, { position: "absolute", height: `${height}px` });
      }
      element.style.top = `${index * height + shift}px`;
      kept.set(index, element);
    }
    if (anew) space.replaceChildren(...kept.values());
    else {
      for (const [index, element] of drawn) if (!kept.has(index)) element.remove();
      let before = null;
      for (const element of [...kept.values()].reverse()) {
        if (element.parentNode !== space || element.nextSibling !== before) space.insertBefore(element, before);
        before = element;
      }
    }
    drawn = kept;
    moved?.(first, last);
  }

  const later = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => draw(false));
  };
  scroller.addEventListener("scroll", later, { passive: true });
  const observer = new ResizeObserver(later);
  observer.observe(scroller);

  return {
    space,
    show(new_count, new_make) {
      [count, make] = [new_count, new_make];
      space.style.height = `${Math.min(whole(), TALLEST)}px`;
      draw(true);
    },
    redraw: () => draw(true),
    reveal(index) {
      const at = index * height;
      if (at < offset()) scroller.scrollTop = at / scale();
      else if (at + height > offset() + seen()) scroller.scrollTop = Math.ceil((at + height - seen()) / scale());
      draw(false);
    },
    page: () => Math.max(1, Math.floor(seen() / height) - 1),
    first: () => Math.round(offset() / height), // the row at the top
    rows: () => Math.max(1, Math.floor(seen() / height)), // how many are seen
    close() {
      cancelAnimationFrame(frame);
      observer.disconnect();
    },
  };
}
