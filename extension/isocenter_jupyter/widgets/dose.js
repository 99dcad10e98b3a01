// A histogram or scatter plot in SVG, with reference levels, a summary in words and the same as a table.

import { announcer, count_text, h, note } from "./static/dom.js";

const WIDTH = 860;
const EDGE = { left: 64, right: 18, top: 16, bottom: 46 };
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring"];
const MOST_GROUPS = 6;
const MOST_LISTED = 200;

function render({ model, el }) {
  el.classList.add("iso", "iso-dose");
  const title = h("h3", { class: "iso-title" });
  const summary = h("span", { class: "iso-quiet" });
  const pick = (name, label, optional) => {
    const select = h("select", { onchange: () => {
      model.set(name, select.value);
      if (name === "x") model.set("kind", select.value ? "scatter" : "histogram");
      model.save_changes();
    } });
    return { name, optional, select, element: h("label", {}, h("span", { class: "iso-quiet" }, label), select) };
  };
  const picks = [pick("y", "Show", false), pick("x", "against", true), pick("group", "by", true)];
  const as_table = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
    const on = as_table.getAttribute("aria-pressed") !== "true";
    as_table.setAttribute("aria-pressed", String(on));
    draw();
  } }, "As a table");
  const tools = h("div", { class: "iso-bar" }, title, h("span", { class: "iso-push" }), picks.map((one) => one.element), as_table);
  const body = h("div", { class: "iso-dose-body" });
  const tip = h("div", { class: "iso-dose-tip", hidden: true, "aria-hidden": "true" });
  const foot = h("div", { class: "iso-foot" }, summary);
  el.replaceChildren(tools, body, foot, tip);
  const say = announcer(el);

  const unit = (name) => (model.get("units") || {})[name] || "";
  const named = (name) => (unit(name) ? `${name} (${unit(name)})` : name);

  function draw() {
    const rows = model.get("rows") || [];
    const y = model.get("y");
    foot.hidden = rows.length === 0;
    if (!rows.length) {
      title.textContent = model.get("title") || "Dose";
      summary.textContent = "";
      for (const one of picks) one.element.hidden = true;
      as_table.hidden = true;
      body.replaceChildren(note("No data yet. Give a table: chart.show(archive.dose.ct().to_pandas()), or DoseChart(table, y=\"CTDIvol\")"));
      return;
    }
    as_table.hidden = false;
    offer(rows);
    const values = rows.map((row) => row[y]).filter(number);
    title.textContent = model.get("title") || named(y);
    const scatter = model.get("kind") === "scatter" && model.get("x");
    const text = words(values, unit(y));
    summary.textContent = text;
    const listed = as_table.getAttribute("aria-pressed") === "true";
    if (!values.length) body.replaceChildren(note(`${y} has no numbers`));
    else if (listed) body.replaceChildren(scatter ? rows_table(rows) : bins_table(values, y));
    else body.replaceChildren(...(scatter ? scatter_chart(rows, text) : histogram(rows, values, text)));
    say(`${title.textContent}: ${text}`);
  }

  function offer(rows) {
    const names = [...new Set(rows.slice(0, 200).flatMap(Object.keys))];
    const numeric = names.filter((name) => rows.some((row) => number(row[name])));
    const kinds = names.filter((name) => !rows.some((row) => number(row[name])) && new Set(rows.map((row) => row[name])).size <= 40);
    for (const one of picks) {
      const list = one.name === "group" ? kinds : numeric;
      one.element.hidden = one.optional && list.length === 0;
      one.select.replaceChildren(...(one.optional ? [h("option", { value: "" }, one.name === "x" ? "nothing" : "no group")] : []), ...list.map((name) => h("option", { value: name }, name)));
      one.select.value = model.get(one.name);
    }
  }

  function words(values, of) {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
    const end = of ? ` ${of}` : "";
    const above = (model.get("reference") || []).map((level) => `${count_text(values.filter((value) => value > level.value).length)} above ${level.label || level.value}`);
    return [`${count_text(values.length)} values`, `median ${short(at(0.5))}${end}`, `75 % up to ${short(at(0.75))}${end}`, ...above].join(" · ");
  }

  function frame(height, label) {
    return h("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "iso-dose-chart", role: "img", "aria-label": label });
  }

  function axes(svg, height, across, up, across_text, up_text) {
    for (const tick of up.ticks) {
      const y = up.at(tick);
      svg.append(h("line", { class: "iso-dose-grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y }), h("text", { class: "iso-dose-tick", x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, short(tick)));
    }
    for (const tick of across.ticks) {
      const x = across.at(tick);
      svg.append(h("line", { class: "iso-dose-axis", x1: x, x2: x, y1: height - EDGE.bottom, y2: height - EDGE.bottom + 4 }), h("text", { class: "iso-dose-tick", x, y: height - EDGE.bottom + 18, "text-anchor": "middle" }, short(tick)));
    }
    svg.append(
      h("line", { class: "iso-dose-axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: height - EDGE.bottom, y2: height - EDGE.bottom }),
      h("text", { class: "iso-dose-name", x: (EDGE.left + WIDTH - EDGE.right) / 2, y: height - 8, "text-anchor": "middle" }, across_text),
      h("text", { class: "iso-dose-name", transform: `translate(16 ${(height - EDGE.bottom + EDGE.top) / 2}) rotate(-90)`, "text-anchor": "middle" }, up_text),
    );
  }

  function histogram(rows, values, text) {
    const height = model.get("height");
    const y = model.get("y");
    const { bins, width } = binned(values, reach(values));
    const groups = grouped(rows);
    const across = scale([bins[0].low, bins[bins.length - 1].high], [EDGE.left, WIDTH - EDGE.right], 8);
    const up = scale([0, Math.max(...bins.map((bin) => bin.count))], [height - EDGE.bottom, EDGE.top], 5, true);
    const svg = frame(height, `Histogram of ${named(y)}: ${text}`);
    axes(svg, height, across, up, named(y), "count");
    for (const bin of bins) {
      let below = 0;
      for (const [index, [, members]] of groups.entries()) {
        const count = members.filter((row) => number(row[y]) && inside(row[y], bin)).length;
        if (!count) continue;
        const [top, bottom] = [up.at(below + count), up.at(below)];
        const bar = h("rect", { class: `iso-dose-bar iso-dose-${index}`, x: across.at(bin.low) + 1, width: Math.max(1, across.at(bin.low + width) - across.at(bin.low) - 2), y: top, height: bottom - top, rx: 1.5 });
        hint(bar, `${short(bin.low)} to ${short(bin.high)}${unit(y) ? ` ${unit(y)}` : ""}${groups.length > 1 ? `, ${groups[index][0]}` : ""}: ${count_text(count)}`);
        svg.append(bar);
        below += count;
      }
    }
    levels(svg, height, (value) => across.at(value), true);
    return [svg, ...legend(groups, "square")];
  }

  function scatter_chart(rows, text) {
    const height = model.get("height");
    const [x, y] = [model.get("x"), model.get("y")];
    const points = rows.filter((row) => number(row[x]) && number(row[y]));
    if (!points.length) return [note(`No row has both ${x} and ${y}`)];
    const across = scale(span(points.map((row) => row[x])), [EDGE.left, WIDTH - EDGE.right], 8, true);
    const up = scale(span(reach(points.map((row) => row[y]))), [height - EDGE.bottom, EDGE.top], 5, true);
    const svg = frame(height, `${named(y)} against ${named(x)}: ${text}`);
    axes(svg, height, across, up, named(x), named(y));
    const groups = grouped(points);
    for (const [index, [name, members]] of groups.entries()) {
      for (const row of members) {
        const point = shape(SHAPES[index], across.at(row[x]), up.at(row[y]), `iso-dose-point iso-dose-${index}`);
        hint(point, `${x} ${short(row[x])} ${unit(x)}, ${y} ${short(row[y])} ${unit(y)}${groups.length > 1 ? `, ${name}` : ""}`);
        svg.append(point);
      }
    }
    levels(svg, height, (value) => up.at(value), false);
    return [svg, ...legend(groups)];
  }

  // Reference levels are part of what the axis must reach.
  function reach(values) {
    return [...values, ...(model.get("reference") || []).map((level) => level.value).filter(number)];
  }

  function levels(svg, height, at, upright) {
    for (const level of model.get("reference") || []) {
      if (!number(level.value)) continue;
      const place = at(level.value);
      const label = `${level.label ? `${level.label} ` : ""}${short(level.value)}${unit(model.get("y")) ? ` ${unit(model.get("y"))}` : ""}`;
      const right = upright && place > WIDTH * 0.75;
      svg.append(
        h("line", upright ? { class: "iso-dose-level", x1: place, x2: place, y1: EDGE.top - 6, y2: height - EDGE.bottom } : { class: "iso-dose-level", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: place, y2: place }),
        h("text", upright ? { class: "iso-dose-label", x: place + (right ? -6 : 6), y: EDGE.top + 2, "text-anchor": right ? "end" : "start" } : { class: "iso-dose-label", x: WIDTH - EDGE.right - 4, y: place - 5, "text-anchor": "end" }, label),
      );
    }
  }

  function grouped(rows) {
    const by = model.get("group");
    if (!by) return [["all", rows]];
    const found = new Map();
    for (const row of rows) {
      const name = row[by] === null || row[by] === undefined || row[by] === "" ? "no value" : String(row[by]);
      found.set(name, [...(found.get(name) || []), row]);
    }
    const sorted = [...found].sort((a, b) => b[1].length - a[1].length);
    const [first, rest] = [sorted.slice(0, MOST_GROUPS - 1), sorted.slice(MOST_GROUPS - 1)];
    if (rest.length > 1) return [...first, [`${rest.length} others`, rest.flatMap(([, members]) => members)]];
    return sorted;
  }

  function legend(groups, fixed = null) {
    if (groups.length < 2) return [];
    return [h("ul", { class: "iso-dose-legend", "aria-label": model.get("group") }, groups.map(([name, members], index) => h("li", {}, h("svg", { viewBox: "0 0 14 14", width: "14", height: "14", "aria-hidden": "true" }, shape(fixed || SHAPES[index], 7, 7, `iso-dose-point iso-dose-${index}`)), name, h("span", { class: "iso-quiet" }, count_text(members.length)))))];
  }

  function hint(element, text) {
    element.addEventListener("pointerenter", (event) => {
      tip.textContent = text;
      tip.hidden = false;
      const box = el.getBoundingClientRect();
      tip.style.left = `${Math.min(event.clientX - box.left + 12, box.width - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY - box.top - 34}px`;
    });
    element.addEventListener("pointerleave", () => (tip.hidden = true));
  }

  function bins_table(values, y) {
    const { bins } = binned(values, values);
    const filled = bins.findIndex((bin) => bin.count);
    return table([`${named(y)} from`, "to", "count"], bins.slice(filled).map((bin) => [short(bin.low), short(bin.high), count_text(bin.count)]));
  }

  function rows_table(rows) {
    const names = [model.get("group"), model.get("x"), model.get("y")].filter(Boolean);
    const shown = rows.slice(0, MOST_LISTED).map((row) => names.map((name) => (number(row[name]) ? short(row[name]) : (row[name] ?? ""))));
    const left = rows.length - shown.length;
    return h("div", {}, table(names.map(named), shown), left > 0 ? note(`and ${count_text(left)} more rows`) : null);
  }

  function table(names, rows) {
    return h("div", { class: "iso-scroll iso-dose-table", tabindex: "0" }, h("table", { class: "iso-table" }, h("thead", {}, h("tr", {}, names.map((text) => h("th", { scope: "col", class: "iso-number" }, text)))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((text) => h("td", { class: "iso-number" }, String(text))))))));
  }

  for (const name of ["rows", "y", "x", "group", "kind", "reference", "units", "title", "height"]) model.on(`change:${name}`, draw);
  draw();
}

function number(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function short(value) {
  if (!number(value)) return String(value);
  const rounded = Number(value.toPrecision(4));
  return Math.abs(rounded) >= 10_000 ? count_text(Math.round(rounded)) : String(rounded);
}

function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? [low - 0.5, high + 0.5] : [low > 0 && low < high / 3 ? 0 : low, high];
}

// Equal intervals at round numbers that take in all of `reached`.
function binned(values, reached) {
  const [low, high] = span(reached);
  const width = round_step((high - low) / Math.min(30, Math.max(6, Math.ceil(Math.sqrt(values.length)))));
  const first = Math.floor(low / width) * width;
  const count = Math.max(1, Math.ceil((high - first) / width + 1e-9));
  const bins = Array.from({ length: count }, (_, index) => ({ low: clean(first + index * width), high: clean(first + (index + 1) * width), count: 0, last: index === count - 1 }));
  for (const bin of bins) bin.count = values.filter((value) => inside(value, bin)).length;
  return { bins, width };
}

function inside(value, bin) {
  return value >= bin.low && (value < bin.high || (bin.last && value <= bin.high));
}

function clean(value) {
  return Number(value.toPrecision(12));
}

function round_step(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return ([1, 2, 2.5, 5, 10].find((part) => part * power >= step * 0.999) || 10) * power;
}

function scale([low, high], [from, to], count, round = false) {
  const step = round_step((high - low || 1) / count);
  const [first, last] = round ? [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step] : [low, high];
  const ticks = [];
  for (let tick = Math.ceil(first / step - 1e-9) * step; tick <= last + step * 1e-6; tick += step) ticks.push(clean(tick));
  return { ticks, at: (value) => from + ((value - first) / (last - first || 1)) * (to - from) };
}

function shape(kind, x, y, classes) {
  const around = { square: [[-4, -4], [4, -4], [4, 4], [-4, 4]], triangle: [[0, -5], [5, 4], [-5, 4]], diamond: [[0, -6], [5, 0], [0, 6], [-5, 0]], cross: [[-5, -2], [-2, -2], [-2, -5], [2, -5], [2, -2], [5, -2], [5, 2], [2, 2], [2, 5], [-2, 5], [-2, 2], [-5, 2]] }[kind];
  if (!around) return h("circle", { cx: x, cy: y, r: 4, class: `${classes}${kind === "ring" ? " iso-dose-ring" : ""}` });
  return h("polygon", { points: around.map(([dx, dy]) => `${x + dx},${y + dy}`).join(" "), class: classes });
}

export default { render };
