// --- What a page calls.

const become = (id) => remember(USER, text(id));
const calls = {
  identify(id, traits, options) {
    if (id && typeof id === "object") [id, traits, options] = ["", id, traits];
    if (text(id)) become(id);
    emit("identify", { traits: traits || {} }, options);
  },
  track: (event, properties, options) => emit("track", { event, properties: properties || {} }, options),
  page(...given) {
    const names = given.filter((value) => typeof value === "string").map((name) => hidden(name));
    const [properties, options] = given.filter((value) => value && typeof value === "object");
    const [name, category] = names.reverse();
    const named = present({ name, category });
    emit("page", { ...named, properties: { ...pageFields(), ...named, ...properties } }, options);
  },
  group: (groupId, traits, options) => emit("group", { groupId, traits: traits || {} }, options),
  alias(id, previous, options) {
    const previousId = text(previous) || recall(USER) || visitor();
    become(id);
    emit("alias", { previousId }, options);
  },
  // Somebody else may use the browser now.
  reset() {
    become("");
    remember(ANONYMOUS, unique());
    chosen.gpc = false;
  },
  consent: say,
  ready: (then) => then(),
};
const run = ([name, ...given]) => {
  // As with Segment's, the last argument may be a function that is called afterwards.
  const then = name !== "ready" && typeof given.at(-1) === "function" && given.pop();
  try {
    calls[name](...given);
  } catch (error) {
    // A mistake of the page stays one of the page.
    warn(name, error);
  }
  if (then) setTimeout(then);
};
