// --- Forms of the page that are marked `data-freshsignal`: what was typed, for the service to read like a posted form.

const UNREAD = /password|file|submit|button|image|reset|fieldset|output/;
const UNREAD_FOR = /\bcc-|password|one-time/;
const UNREAD_NAME = /passw|pwd|secret|token|csrf|nonce|captcha|turnstile|card|cvv|cvc|iban|ssn/i;
const isRead = (field) => {
  const { name, type } = field;
  if (!name || field.matches(":disabled") || UNREAD.test(type) || UNREAD_NAME.test(name)) return false;
  if (UNREAD_FOR.test(field.getAttribute("autocomplete"))) return false;
  if (type === "checkbox" || type === "radio") return field.checked;
  // What a page hides may be a secret; campaigns and what is marked are not.
  return type !== "hidden" || /^utm_|^_(id|t)$/.test(name) || field.hasAttribute("data-freshsignal");
};
const captured = ({ target: form }) => {
  try {
    const action = form.getAttribute("action") || "";
    // A form that is posted to the service itself is an event there.
    if (!form.hasAttribute("data-freshsignal") || action.startsWith(base + "/form/")) return;
    const values = (field) => Array.from(field.selectedOptions || [field], ({ value }) => [field.name, value]);
    // A field may be called "elements".
    const elements = Reflect.get(HTMLFormElement.prototype, "elements", form);
    emit("form", { fields: Array.from(elements).filter(isRead).flatMap(values) });
  } catch (error) {
    warn("a form is not sent:", error);
  }
};
