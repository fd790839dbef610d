// The view "Start": five steps from nothing to a contact in Freshsales. How far it is comes from the service, so that a step
// turns green by itself and nobody does one twice. The write key that is made here stays in this tab.

import { get, may, send } from "./api.js";
import { ask, h, show } from "./dom.js";
import { way } from "./connect.js";
import { inShort, wrong } from "./plan.js";
import { link, note, timeAgo } from "./rows.js";
import { OUTCOMES, wordOf } from "./words.js";

const EVERY_MS = 1500;
const KEYS = "freshsignal-start-keys";
const UNASKED = [
  ["hold", "They wait until they were asked", "Nothing is sent of them before."],
  ["", "Freshsales decides", "No status is sent, and Freshsales subscribes such a contact by itself."],
  ["unsubscribed", "They are unsubscribed", "They become contacts, and get no marketing emails."],
  ["subscribed", "They are subscribed", "Only where your law does not ask for a yes."],
];

function keys() {
  return JSON.parse(sessionStorage.getItem(KEYS) ?? "{}");
}
function remember(made) {
  sessionStorage.setItem(KEYS, JSON.stringify({ ...keys(), ...made }));
}

// A field with its label.
function field(id, label, attributes, ...hint) {
  return h("div", { class: "field" }, h("label", { for: id }, label), h("input", { id, autocomplete: "off", spellcheck: "false", ...attributes }), hint.length > 0 && h("p", { class: "faint" }, hint));
}
function valueOf(id) {
  return document.getElementById(id)?.value.trim() ?? "";
}
function radios(name, legend, options, chosen) {
  const one = ([value, label, hint], nth) => h("label", { class: "answer", for: `${name}-${nth}` }, h("input", { type: "radio", id: `${name}-${nth}`, name, value, required: true, checked: value === chosen }), h("span", {}, h("strong", {}, label), " ", hint));
  return h("fieldset", {}, h("legend", {}, legend), options.map(one));
}
function chosenOf(name) {
  return document.querySelector(`input[name="${name}"]:checked`)?.value ?? null;
}

// A form that says what became of it beside its buttons.
function form(id, children, label, submit, ...more) {
  const said = h("div", { role: "status", class: "stack" });
  const button = h("button", { type: "submit", class: "primary" }, label);
  const run = async (work) => {
    button.disabled = true;
    show(said, h("p", { class: "loading" }, "One moment…"));
    try {
      show(said, await work());
    } catch (error) {
      show(said, note("stop", "Not yet", wrong(error)));
    }
    button.disabled = false;
  };
  const element = h("form", { id, class: "stack", on: { submit: (event) => { event.preventDefault(); run(submit); } } }, children, h("div", { class: "actions" }, button, more.map((other) => other(run))), said);
  return element;
}

// Changes settings; where people become owed a call by it, that is asked before.
async function change(changes, newKey) {
  const { revision } = await get("api/settings");
  const looked = await send("POST", "api/settings/preview", { revision, changes, new_key: newKey });
  if (looked.plan.calls > 0 && !(await ask("Apply this?", h("p", {}, inShort(looked.plan)), [{ label: "Leave it", value: null }, { label: "Apply", value: "ok", primary: true, focus: true }]))) return null;
  return send("POST", "api/settings/apply", { preview: looked.preview });
}

function findings(found) {
  const worth = found.filter(({ level }) => level !== "fine");
  if (!worth.length) return null;
  return note("wait", "The account can be used. Good to know of it:", h("ul", { class: "plain" }, worth.map(({ text }) => h("li", {}, text))));
}

const account = {
  title: "Account",
  done: ({ account }) => account.done,
  word: ({ account }) => (account.dry_run ? "nothing is sent" : account.name),
  sign: ({ account, open }) => JSON.stringify([account, open]),
  draw(found, page) {
    if (!found.open) return [h("p", {}, "Calls go to ", h("code", {}, found.account.name), ". The key of its user is kept where its owner alone can read it, and is shown nowhere."), page.told && findings(page.told)];
    const taken = async (body) => {
      const { findings: told } = await send("POST", "api/setup/account", body);
      page.told = told;
      await page.until((now) => now.account.done && now.account.dry_run === Boolean(body.dry_run));
      return null;
    };
    return [
      found.account.dry_run && found.account.done && note("wait", null, "A dry run: everything is decided and shown, and nothing is sent. Name the account here when you have it."),
      form(
        "start-account",
        [
          field("alias", "The address that Freshsales is opened at, or its first part", { required: true, placeholder: "acme.myfreshworks.com", autofocus: true }),
          field("api-key", "API key", { type: "password", required: true }, "In Freshsales: your picture, Personal settings, API settings. Its user must be one who may create and edit contacts. It is kept in a file that its owner alone can read, and never shown again."),
          h("details", { class: "attempt" }, h("summary", {}, "Calls go to another address"), field("base-url", "Address", { placeholder: "https://proxy.example.com" }, "For a proxy of yours, or a sandbox on this machine. Empty: to Freshsales itself.")),
        ],
        "Test it and take it",
        () => taken({ alias: valueOf("alias"), api_key: valueOf("api-key"), base_url: valueOf("base-url") }),
        (run) => !found.account.done && h("button", { type: "button", id: "try-dry", on: { click: () => run(() => taken({ dry_run: true })) } }, "Try without an account"),
      ),
      h("p", { class: "faint" }, "The account is asked before it is taken: whether the key is right, what it may, how many calls it has, which fields there are. That makes up to 16 calls, and changes nothing there."),
    ];
  },
};

const source = {
  title: "Source",
  done: ({ source }) => source.done,
  word: ({ source }) => source.names.join(", "),
  sign: ({ source, account, first_start }) => JSON.stringify([source, account.done, first_start]),
  draw(found, page) {
    if (found.source.done) return h("p", {}, "May send: ", found.source.names.map((name, nth) => [nth > 0 && ", ", h("code", {}, name)]), ". Another one is added under ", link(["settings"], "Settings"), ".");
    if (!found.account.done || !found.first_start) return h("p", { class: "faint" }, found.first_start ? "After the account." : "Named in the configuration.");
    const made = async () => {
      const name = valueOf("source-name");
      const kind = chosenOf("source-kind");
      const origins = valueOf("source-origins").split(",").map((one) => one.trim()).filter(Boolean);
      const set = (key, value) => ({ path: ["sources", name, key], value });
      const wishes = [set("trust", kind === "server" ? "server" : "visitor"), origins.length > 0 && set("allowed_origins", origins), kind === "form" && set("form", true)].filter(Boolean);
      const done = await change(wishes, name);
      if (done) remember(done.new_keys);
      await page.read();
      return null;
    };
    return form(
      "start-source",
      [
        radios("source-kind", "Where do its events come from?", [["site", "Pages or an app", "by the tag or an SDK that visitors load"], ["form", "A form", "by plain HTML, without a script; the tag works too"], ["server", "A server", "by an SDK, or a call of its own"]], "site"),
        field("source-name", "Its name, as you will see it: small letters, digits, - and _", { required: true, value: "website", pattern: "[a-z0-9_\\-]+" }),
        field("source-origins", "Pages that may send", { placeholder: "https://shop.example.com" }, "With commas between them. Empty: any page that has the key."),
      ],
      "Make its write key",
      made,
    );
  },
};

const paste = {
  title: "Tag, SDK or form",
  done: ({ arrived }) => arrived.done,
  word: ({ arrived }) => ["something came ", timeAgo(arrived.last_at)],
  sign: ({ source, arrived }) => JSON.stringify([source, arrived]),
  async draw(found, page) {
    if (!found.source.done) return h("p", { class: "faint" }, "After the source: its key is in what you paste.");
    const { sources, address } = await get("api/connect");
    const again = async (name) => {
      const done = await change([], name);
      if (done) remember(done.new_keys);
      page.redraw(paste);
    };
    const one = (shown) => {
      const key = keys()[shown.name];
      return h(
        "div",
        { class: "stack" },
        shown.doors.map((door) => way(shown, door, key ?? "")),
        !key && page.found.first_start && h("p", {}, "The write key was shown in another tab. ", h("button", { type: "button", class: "small", on: { click: () => again(shown.name) } }, "Make another one")),
      );
    };
    const body = [address.note && note("wait", null, address.note), sources.map(one)];
    return found.arrived.done ? h("details", { class: "attempt" }, h("summary", {}, "What to paste"), body) : body;
  },
};

const consent = {
  title: "Consent",
  done: ({ consent }) => consent.done,
  word: ({ consent }) => UNASKED.find(([value]) => value === consent.unasked)?.[1] ?? consent.unasked,
  sign: ({ consent, account, first_start }) => JSON.stringify([consent, account.done, first_start]),
  draw(found, page) {
    const { done, unasked, required } = found.consent;
    if (done) {
      const said = UNASKED.find(([value]) => value === unasked)?.[1] ?? unasked;
      return h("p", {}, "A contact whom nobody asked: ", h("strong", {}, said), ". ", required.length ? ["Nothing is sent without ", h("code", {}, required.join(", ")), ". "] : "No category has to be granted. ", "Both are changed under ", link(["settings"], "Settings"), ".");
    }
    if (!found.account.done || !found.first_start) return h("p", { class: "faint" }, found.first_start ? "After the account." : "Said by the configuration.");
    const answer = async () => {
      const categories = valueOf("required").split(",").map((one) => one.trim()).filter(Boolean);
      const wishes = [{ path: ["consent", "unknown"], value: chosenOf("unasked") }, categories.length > 0 && { path: ["consent", "required"], value: categories }].filter(Boolean);
      await change(wishes);
      await page.read();
      return null;
    };
    return form(
      "start-consent",
      [
        radios("unasked", "What becomes of a new contact whom nobody asked whether they want marketing emails?", UNASKED, null),
        field("required", "Categories of consent that must be granted before anything is sent", { placeholder: "marketing" }, "With commas between them. Empty: none; then who said no to marketing becomes an unsubscribed contact."),
      ],
      "That is the answer",
      answer,
    );
  },
};

const event = {
  title: "First event",
  done: ({ event }) => event.done,
  word: ({ event }) => (event.delivered ? "its contact is in Freshsales" : "it is here"),
  sign: ({ event, account }) => JSON.stringify([event, account.dry_run]),
  draw(found) {
    const { latest, delivered } = found.event;
    if (!latest) return h("p", { class: "loading" }, "Waiting for one. It shows here by itself as soon as it is on disk.");
    const place = link([["events", latest.message_id], { source: latest.source }], latest.event);
    const came = h("p", {}, place, " from ", h("code", {}, latest.source), " came ", timeAgo(latest.received_at), ".");
    if (delivered) return [came, note("good", found.account.dry_run ? "Its contact would be in Freshsales" : "Its contact is in Freshsales", found.account.dry_run ? "In a dry run nothing is sent; the event shows what would be." : "Open the event to see what was sent and what was answered.")];
    const [label] = wordOf(OUTCOMES, latest.outcome);
    return [came, note("wait", latest.delivery_id ? "Its contact is on its way" : `Accepted: ${label.toLowerCase()}`, `${latest.reason}. `, !latest.delivery_id && "A contact is made by an event with an email that the mapping has, such as Lead Generated: see Settings.")];
  },
};

const STEPS = [account, source, paste, consent, event];

export async function start(place) {
  const cards = STEPS.map((step, nth) => {
    const [head, body] = [h("h2", { id: `step-${nth}` }), h("div", { class: "stack" })];
    return { step, head, body, drawn: null, element: h("li", { class: "card", "data-step": step.title }, head, body) };
  });
  const end = h("div", { class: "first-end", role: "status" });
  const page = { found: null, told: null, read, until, redraw: (step) => { cards.find((card) => card.step === step).drawn = null; return read(); } };
  show(place, h("div", { class: "title" }, h("h1", {}, "Start")), h("p", { class: "faint first-lead" }, "Five steps from nothing to a contact in Freshsales. Each turns green by itself when it works; you may leave this page, and come back to where you were."), h("ol", { class: "first-steps" }, cards.map(({ element }) => element)), end);

  async function draw(card) {
    const { step, head, body, element } = card;
    const done = step.done(page.found);
    element.classList.toggle("done", done);
    const word = done ? step.word(page.found) : "to do";
    show(head, h("span", { class: "nth", "aria-hidden": "true" }, done ? "✓" : cards.indexOf(card) + 1), ` ${step.title} `, h("span", { class: `pill ${done ? "good" : "calm"}` }, word));
    const sign = step.sign(page.found);
    // What somebody is typing into stays as long as nothing changed.
    if (card.drawn === sign) return;
    card.drawn = sign;
    show(body, await step.draw(page.found, page));
  }
  async function read() {
    page.found = await get("api/setup");
    for (const card of cards) await draw(card);
    if (!page.found.finished) show(end);
    else if (!end.firstChild) show(end, note("good", "Everything works", "What is new is under ", link(["now"], "Now"), ". All that was said here is changed under ", link(["settings"], "Settings"), ", which also has it as TOML for a configuration file. Who else may use this page: ", h("code", {}, "admin.tokens"), "."));
  }
  // The service may be starting again meanwhile.
  async function until(holds) {
    for (let tries = 0; tries < 60; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = await get("api/setup").catch(() => null);
      if (now && holds(now)) return read();
    }
    throw new Error("The service did not come back within 30 seconds: its log says why.");
  }

  if (!(await may("GET /api/setup"))) {
    show(place, note("calm", "Not for your role", "Who sets the service up needs the role ", h("code", {}, "owner"), "."));
    return null;
  }
  await read();
  let looking = false;
  const timer = setInterval(async () => {
    if (looking || document.hidden) return;
    looking = true;
    // What can't be read now is read the next time; the head of the page says so meanwhile.
    await read().catch(() => {});
    looking = false;
  }, EVERY_MS);
  return () => clearInterval(timer);
}
