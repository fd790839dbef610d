// What is asked of the service: with the token where one is needed, and every failure as a sentence.

import { ask, h } from "./dom.js";

const TOKEN = "freshsignal-token";

export class Failure extends Error {
  constructor(status, code, message, problems = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.problems = problems;
  }
}

export function pathOf(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

function headers(more) {
  const token = sessionStorage.getItem(TOKEN);
  return { ...more, ...(token ? { authorization: `Bearer ${token}` } : {}) };
}

// Whether a token was entered in this tab; and forgets it.
export function isSignedIn() {
  return sessionStorage.getItem(TOKEN) !== null;
}
export function signOut() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

// The link in the log of a first start has a code in it, which is good for the token, once.
let noEntry = null;
export async function enter(code) {
  const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code }) };
  try {
    const { token } = await read(await fetch("api/setup/session", options));
    sessionStorage.setItem(TOKEN, token);
  } catch (error) {
    noEntry = error.message;
  }
}

// Asks for the token, once however many requests wait for it. Who closes the question is not asked again by the live
// stream a moment later: what could not be read has a button for it.
let asking = null;
let declined = false;
function askForToken(wrong) {
  asking ??= (async () => {
    const field = h("input", {
      id: "token",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      autofocus: true,
    });
    const body = h(
      "div",
      { class: "stack" },
      h("p", {}, "This listener is not open without a token: one of your own, or the admin token, which ", h("code", {}, "freshsignal token"), " prints."),
      h("label", { for: "token" }, "Token"),
      field,
      noEntry && h("p", { class: "wrong", role: "alert" }, `That link lets nobody in: ${noEntry}.`),
      wrong && h("p", { class: "wrong", role: "alert" }, "That token is not the one. Look for spaces, and that it is of this data folder."),
      h("p", { class: "faint" }, "It is kept in this tab until you close it, and sent to this service alone."),
    );
    const answer = await ask("Token", body, [{ label: "Continue", value: "ok", primary: true }]);
    const token = field.value.trim();
    if (answer && token) sessionStorage.setItem(TOKEN, token);
    asking = null;
    declined = !(answer && token);
    return !declined;
  })();
  return asking;
}

// One request; the answer as the browser gives it. A wrong token is asked for again.
async function request(path, options = {}) {
  for (;;) {
    const had = sessionStorage.getItem(TOKEN);
    let response;
    try {
      response = await fetch(path, { ...options, headers: headers(options.headers), cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(0, "no_answer", "The service does not answer. Is it running, and is this its address?");
    }
    if (response.status !== 401) return response;
    if (had && had === sessionStorage.getItem(TOKEN)) sessionStorage.removeItem(TOKEN);
    if (sessionStorage.getItem(TOKEN)) continue;
    if (declined || !(await askForToken(Boolean(had)))) {
      throw new Failure(401, "unauthorized", "Nothing is shown without a token.");
    }
  }
}

async function read(response) {
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    throw new Failure(response.status, "no_json", "The answer is not from freshsignal. Is something between you and it?");
  }
  if (!response.ok) {
    throw new Failure(response.status, body?.code ?? "failed", body?.message ?? `The service answered ${response.status}.`, body?.problems);
  }
  return body;
}

// Where another node works than the one that was asked, an order is kept for it, and what comes of it is looked up.
const LOOKS_MAX = 60;
const LOOK_EVERY = 1000;
async function outcome(body) {
  if (!body?.see || body.done !== false) return body;
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    const { done, status, answer } = await read(await request(`api/orders/${body.order}`));
    if (!done) continue;
    if (status < 400) return answer ?? {};
    throw new Failure(status, answer?.code ?? "failed", answer?.message ?? `The order was answered with ${status}.`);
  }
  throw new Failure(202, "order_waits", `No node does the work now. Your order is kept as number ${body.order} and is carried out once one does.`);
}

export async function get(path, params, signal) {
  return outcome(await read(await request(pathOf(path, params), { signal })));
}

export async function send(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  return outcome(await read(await request(path, options)));
}

// Who asks and what they may, read once: whoever signs in anew loads the page again.
let asked = null;
export function me() {
  asked ??= get("api/me").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}
export async function may(route) {
  return (await me()).may.includes(route);
}

// Server-sent events by `fetch`, because an EventSource can't send the token. Ends when the stream does.
export async function stream(path, params, signal, told) {
  const response = await request(pathOf(path, params), { signal });
  if (!response.ok) await read(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const messages = rest.split("\n\n");
    rest = messages.pop();
    for (const message of messages) {
      const name = /^event: (.*)$/m.exec(message)?.[1];
      const data = /^data: (.*)$/m.exec(message)?.[1];
      if (name && data) told(name, JSON.parse(data));
    }
  }
}

// What is not there any more is null; all else that fails fails the page.
export function orNull(promise) {
  return promise.catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
}
