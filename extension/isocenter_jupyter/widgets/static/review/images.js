// Images with what is blacked out in them: black as it will be, or to be seen through when originals are shown.
// Those that are kept back are not shown before that.

import { count_text, h, note } from "../dom.js";
import { choice } from "./choice.js";

const PAGE = 48;
const FRAME = 4 / 3; // as in the style sheet

// `context` has, besides decisions, `show` (see through the boxes) and `get` (a path of the data server).
export function image_grid(images, context) {
  if (!images.length) return note("No image is like this");
  const grid = h("div", { class: context.show() ? "iso-review-images iso-review-through" : "iso-review-images" });
  const fetcher = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      fetcher.unobserve(target);
      load(target, context);
    }
  }, { rootMargin: "300px" });
  const more = h("button", { type: "button", onclick: add });
  let shown = 0;
  function add() {
    for (const one of images.slice(shown, shown + PAGE)) {
      const made = card(one, context);
      grid.append(made);
      const picture = made.querySelector("img");
      if (picture && !one.src && one.path) fetcher.observe(picture);
    }
    shown = Math.min(shown + PAGE, images.length);
    const left = images.length - shown;
    more.hidden = left === 0;
    more.textContent = `Show ${count_text(Math.min(PAGE, left))} more of ${count_text(left)}`;
  }
  add();
  return h("div", {}, grid, h("div", { class: "iso-review-more" }, more));
}

function card(one, context) {
  const width = one.width || 512;
  const height = one.height || 512;
  const boxes = (one.boxes || []).map((box) => {
    const rect = h("rect", { x: box.x, y: box.y, width: box.width, height: box.height });
    rect.append(h("title", {}, box.label || "blacked out"));
    return rect;
  });
  const stays = context.stays(one);
  const areas = boxes.length ? `${boxes.length} area${boxes.length === 1 ? "" : "s"} blacked out` : "nothing blacked out";
  const picture = h("img", { alt: `${one.label || one.id}, ${areas}`, "data-path": one.path });
  picture.style.visibility = "hidden"; // nothing is better than a browser's sign of a missing picture
  picture.addEventListener("load", () => (picture.style.visibility = ""));
  if (one.src) picture.src = one.src;
  const frame = h("div", { class: "iso-review-picture" }, h("div", { class: "iso-review-fitted" }, picture, h("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", preserveAspectRatio: "none" }, boxes)));
  const fitted = frame.firstChild;
  fitted.style.aspectRatio = `${width} / ${height}`;
  fitted.style.width = `${Math.min(width / height / FRAME, 1) * 100}%`;
  if (stays && !context.show()) fitted.replaceChildren(h("span", { class: "iso-review-missing" }, "not shown: kept back"));
  const decision = context.decisions()[one.id];
  const said = h("span", {}, h("b", {}, one.label || "Image"), h("div", { class: "iso-quiet" }, one.note || areas));
  if (stays) return h("figure", {}, frame, h("figcaption", {}, said));
  return h("figure", { "data-key": one.id, class: decision ? `iso-review-is-${decision}` : "" }, frame, h("figcaption", {}, said, choice(one.id, one.label, context)));
}

async function load(picture, { get }) {
  try {
    const answer = await get(picture.dataset.path, { accept: "image/jpeg, image/png" });
    if (answer.status !== 200) throw new Error();
    const reader = new FileReader();
    reader.onload = () => (picture.src = reader.result);
    reader.readAsDataURL(new Blob([answer.bytes], { type: (answer.headers["content-type"] || "image/jpeg").split(";")[0] }));
  } catch {
    picture.replaceWith(h("span", { class: "iso-review-missing" }, "no picture"));
  }
}
