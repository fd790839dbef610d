// Drives @segment/analytics-next in a page, as its users do. The page says what to send.
const { host, key, people } = window.told;
const [first, ...others] = people;
const { AnalyticsBrowser } = window.AnalyticsNext;

const analytics = AnalyticsBrowser.load({ writeKey: key, cdnURL: host });

const context = { consent: { categoryPreferences: { marketing: true } } };
// Calls before it has loaded are taken in another order: identifies come first.
await analytics.ready();
await analytics.identify(first.userId, first.traits, { context });
await analytics.track("Lead Generated", { value: 0 });
await analytics.page("Pricing", { path: "/pricing" });
await analytics.group("globex", { name: "Globex" });
for (const person of others) {
  await analytics.identify(person.userId, person.traits, { context });
}
