// Small plots: lines over time with a scale, a legend in words and the values under the pointer. Drawn as SVG; colours
// come from the style sheet by class.

import { h, show, svg } from "./dom.js";
import { clock } from "./words.js";

const WIDTH = 640;
const HEIGHT = 180;
const LEFT = 46;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;
// A gap longer than so many intervals is no line: the service was not running.
const GAP = 2.5;

// The next round number a scale can end at.
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

function path(points, x, y, gap) {
  let line = "";
  let last = null;
  for (const [at, value] of points) {
    if (value === null) {
      last = null;
      continue;
    }
    line += `${last === null || at - last > gap ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    last = at;
  }
  return line;
}

// `series` are `{name, values}` beside `times` (milliseconds); null is a moment without a value.
export function plot({ title, times, every, series, format, least = 1 }) {
  const figure = h("figure", { class: "plot" });
  const values = series.flatMap((one) => one.values).filter((value) => value !== null);
  if (times.length < 2 || !values.length) {
    return show(figure, h("figcaption", {}, h("strong", {}, title)), h("p", { class: "faint" }, "Too little happened yet to draw. A sample is taken each minute."));
  }
  const [first, last] = [times[0], times[times.length - 1]];
  const top = ceiling(Math.max(least, ...values));
  const x = (at) => LEFT + ((at - first) / Math.max(1, last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.5, 1].map((part) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(top * part), y2: y(top * part) }),
    svg("text", { class: "tick", x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" }, format(top * part)),
  ]);
  const ends = [
    svg("text", { class: "tick", x: LEFT, y: HEIGHT - 4 }, clock(first).replace(/:\d\d$/, "")),
    svg("text", { class: "tick", x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, clock(last).replace(/:\d\d$/, "")),
  ];
  const lines = series.map((one, nth) => {
    const points = times.map((at, index) => [at, one.values[index]]);
    const line = svg("path", { class: `line line-${nth}`, d: path(points, x, y, every * GAP * 1000) });
    const dots = points.filter(([, value], index) => value !== null && one.values[index - 1] == null && one.values[index + 1] == null);
    return [line, dots.map(([at, value]) => svg("circle", { class: `dot line-${nth}`, cx: x(at), cy: y(value), r: 2.5 }))];
  });
  const cursor = svg("line", { class: "cursor", x1: -9, x2: -9, y1: TOP, y2: HEIGHT - BOTTOM });
  const latest = (one) => [...one.values].reverse().find((value) => value !== null);
  const words = series.map((one) => `${one.name} ${format(latest(one) ?? 0)}`).join(", ");
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. Latest: ${words}. The scale ends at ${format(top)}.` },
    grid,
    ends,
    lines,
    cursor,
  );
  const legend = h("span", { class: "legend" });
  const say = (index) => {
    show(
      legend,
      index === null ? null : h("span", { class: "faint" }, clock(times[index])),
      series.map((one, nth) => {
        const value = index === null ? latest(one) : one.values[index];
        return h("span", { class: `key line-${nth}` }, `${one.name} `, h("b", {}, value === null || value === undefined ? "—" : format(value)));
      }),
    );
  };
  say(null);
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = first + (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT) * (last - first);
    let nearest = 0;
    for (let index = 1; index < times.length; index += 1) {
      if (Math.abs(times[index] - at) < Math.abs(times[nearest] - at)) nearest = index;
    }
    cursor.setAttribute("x1", x(times[nearest]));
    cursor.setAttribute("x2", x(times[nearest]));
    say(nearest);
  });
  drawing.addEventListener("pointerleave", () => {
    cursor.setAttribute("x1", -9);
    cursor.setAttribute("x2", -9);
    say(null);
  });
  return show(figure, h("figcaption", {}, h("strong", {}, title), legend), drawing);
}
