// Elements from plain data. Text goes in as text and nothing else: no string ever becomes markup, a link leads inside this
// page or to a record of Freshsales and nowhere else, and no attribute is a script.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name.startsWith("on") || name === "style" || name === "srcdoc") {
      throw new Error(`${name} is not an attribute here`);
    } else if (name === "href" && !String(value).startsWith("#")) {
      throw new Error("a link leads inside this page");
    } else if (name === "value") {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

// Children are nodes, text, or lists of them; null, undefined and false are left out.
export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// Where a record is in Freshsales itself, in a tab of its own. Anything that is no such address stays text.
const RECORD = /^https:\/\/[a-z0-9-]+\.myfreshworks\.com\/crm\/sales\/(contacts|accounts|deals)\/\d+$/;
export function outside(address, text) {
  if (!RECORD.test(address ?? "")) return text;
  const element = h("a", { class: "outside", target: "_blank", rel: "noopener noreferrer" }, text);
  element.href = address;
  return element;
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function show(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

// Tells something in passing; read aloud too.
let toastTimer;
export function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => place.classList.remove("shown"), 4000);
}

// A dialog that resolves to what its buttons say, or null when it is closed.
export function ask(title, body, buttons) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" });
    const answer = (value) => {
      dialog.close();
      resolve(value);
    };
    const form = h(
      "form",
      {
        method: "dialog",
        on: {
          submit: (event) => {
            event.preventDefault();
            answer(buttons.find((button) => button.primary)?.value ?? null);
          },
        },
      },
      h("h2", { id: "dialog-title" }, title),
      body,
      h(
        "div",
        { class: "actions" },
        buttons.map((button) =>
          button.primary
            ? h("button", { type: "submit", class: button.danger ? "danger" : "primary", autofocus: Boolean(button.focus) }, button.label)
            : h("button", { type: "button", on: { click: () => answer(button.value) } }, button.label),
        ),
      ),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
