// The one live stream of the page. A view says what it wants told; the stream is opened again when that changes, when
// it breaks, and when the tab is looked at again. Nothing is collected here, so it may stay open for days.

import { stream } from "./api.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

const listeners = new Set();
let controller = null;
let wanted = "";
let params = {};
let state = "connecting";

export function liveState() {
  return state;
}

// `told(name, data)` hears `event`, `delivery`, `status`, `skipped` and `live` (how the stream stands). Answers how to
// stop it.
export function listen(told) {
  listeners.add(told);
  return () => listeners.delete(told);
}

function tell(name, data) {
  if (name === "live") state = data;
  for (const told of [...listeners]) told(name, data);
}

// Which events are told: the filters of the list.
export function watch(filters = {}) {
  const key = JSON.stringify(filters);
  if (key === wanted && controller) return;
  wanted = key;
  params = filters;
  open();
}

async function open() {
  controller?.abort();
  controller = new AbortController();
  const { signal } = controller;
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    tell("live", "connecting");
    try {
      await stream("api/stream", params, signal, (name, data) => {
        if (signal.aborted) return;
        if (state !== "live") tell("live", "live");
        wait = FIRST_WAIT_MS;
        tell(name, data);
      });
    } catch (error) {
      if (signal.aborted) return;
      // Neither a filter that makes no sense nor a missing token mends by waiting.
      if (error.status === 400 || error.status === 401) {
        tell("live", "off");
        return;
      }
    }
    if (signal.aborted) return;
    tell("live", "broken");
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

// Reads again what is shown when something concerns it: many changes in a row are one look. Answers how to stop.
export function readAgain(read, concerns) {
  let again = null;
  const stop = listen((name, data) => {
    if (concerns(name, data)) {
      clearTimeout(again);
      again = setTimeout(read, 300);
    }
  });
  return () => {
    clearTimeout(again);
    stop();
  };
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    controller?.abort();
    controller = null;
    tell("live", "asleep");
  } else if (!controller) {
    open();
  }
});
