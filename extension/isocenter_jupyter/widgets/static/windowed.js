// A long list of rows of one height, of which only those that are seen are in the page.

const BEYOND = 8; // rows above and below what is seen

// windowed({scroller, height, top}): `scroller` scrolls and is positioned; `top` is what its sticky header takes.
// show(count, make) draws rows made by make(index); redraw() makes the seen ones anew; reveal(index) scrolls to one.
export function windowed({ scroller, height, top = 0, role = "rowgroup", moved = null }) {
  const space = document.createElement("div");
  space.setAttribute("role", role);
  space.style.position = "relative";
  scroller.append(space);
  let count = 0;
  let make = () => document.createElement("div");
  let drawn = new Map();
  let frame = 0;

  function range() {
    const seen = scroller.clientHeight || 400;
    const first = Math.max(0, Math.floor((scroller.scrollTop - top) / height) - BEYOND);
    return [first, Math.min(count, first + Math.ceil(seen / height) + 2 * BEYOND)];
  }

  function draw(anew) {
    const [first, last] = range();
    const kept = new Map();
    for (let index = first; index < last; index += 1) {
      let element = anew ? null : drawn.get(index);
      if (!element) {
        element = make(index);
        Object.assign(element.style, { position: "absolute", top: `${index * height}px`, height: `${height}px` });
      }
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
      space.style.height = `${count * height}px`;
      draw(true);
    },
    redraw: () => draw(true),
    reveal(index) {
      const at = index * height;
      const seen = scroller.clientHeight - top;
      if (at < scroller.scrollTop) scroller.scrollTop = at;
      else if (at + height > scroller.scrollTop + seen) scroller.scrollTop = at + height - seen;
      draw(false);
    },
    page: () => Math.max(1, Math.floor((scroller.clientHeight - top) / height) - 1),
    close() {
      cancelAnimationFrame(frame);
      observer.disconnect();
    },
  };
}
