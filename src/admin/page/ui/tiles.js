// Tiles and meters, and drawing again what has changed alone.

import { h, show } from "./dom.js";
import { count } from "./words.js";

export function meter(label, used, limit, unit) {
  const full = limit > 0 ? Math.min(1, used / limit) : 0;
  const tone = full >= 1 ? "stop" : full >= 0.8 ? "wait" : "good";
  return h(
    "div",
    { class: "meter" },
    h("div", { class: "meter-line" }, h("span", {}, label), h("span", {}, h("b", {}, count(used)), ` of ${count(limit)} ${unit}`)),
    h("meter", { class: tone, min: 0, max: Math.max(1, limit), value: used, "aria-label": `${label}: ${used} of ${limit} ${unit}` }),
  );
}

export function tile(name, value, more) {
  return h("div", { class: "tile" }, h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, value), more && h("span", { class: "faint" }, more));
}

// Draws the parts that have changed. What has not stays, so that nothing is drawn anew under the hand that presses it.
export function drawing(parts) {
  const drawn = new Map();
  return (view) => {
    for (const [place, of, render] of parts) {
      const key = JSON.stringify(of(view));
      if (drawn.get(place) === key) continue;
      drawn.set(place, key);
      show(place, render(of(view)));
    }
  };
}
