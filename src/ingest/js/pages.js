// --- Page views: one at load, one when a page that is its own router goes on, one of a page restored by Back if wanted.

const TITLE_LOOKS = 20;
const TITLE_LOOK_MS = 100;
// Of the page that was come to, while its title may still be that of the page before.
let view;
// The last view that was sent, and the title that the page was last seen to have.
const viewed = { url: here(), title: document.title };
let seenTitle;
const settle = () => {
  const page = view;
  view = undefined;
  if (!page) return;
  if (here() === viewed.url) seenTitle = document.title;
  viewed.title = seenTitle;
  page.title = hidden(seenTitle);
  calls.page(page, { context: { page } });
};
const moved = () =>
  // What else the page does in this moment, such as a redirect of its router, comes before.
  setTimeout(() => {
    if (here() === viewed.url) return;
    settle();
    referrer = viewed.url;
    viewed.url = here();
    const page = (view = pageFields());
    const look = (left) => {
      if (view !== page) return;
      seenTitle = document.title;
      if (seenTitle !== viewed.title || !left) settle();
      else setTimeout(look, TITLE_LOOK_MS, left - 1);
    };
    look(TITLE_LOOKS);
  });
const watchMoves = () => {
  const { pushState } = history;
  history.pushState = function (...given) {
    pushState.apply(this, given);
    moved();
  };
  addEventListener("popstate", moved);
  addEventListener("hashchange", moved);
};

const start = () => {
  arrive();
  // What was called before the script had loaded, as arrays or as the arguments of a stub.
  const early = datafly.splice(0).map((call) => Array.from(call));
  for (const name in calls) datafly[name] = (...given) => run([name, ...given]);
  datafly.push = (...given) => given.forEach((call) => run(Array.from(call)));
  if (settings.autoPage !== "false") {
    if (!early.some(([name]) => name === "page")) early.unshift(["page"]);
    watchMoves();
  }
  early.forEach(run);
  const named = settings.consentTools;
  for (const tool of named === undefined ? Object.keys(tools) : named.split(" ")) attempt(() => tools[tool]());
  addEventListener("submit", captured, true);
};
// A page that the browser prepares in advance may never be seen.
if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
else start();
