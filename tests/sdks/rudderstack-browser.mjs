// Drives @rudderstack/analytics-js in a page, as its users do. The page says what to send.
import { RudderAnalytics } from "/sdk.mjs";

const { host, key, people } = window.told;
const [first, ...others] = people;
const analytics = new RudderAnalytics();
const options = { configUrl: host };
options.queueOptions = { batch: { enabled: true, flushInterval: 2000 } };
options.consentManagement = { enabled: true, provider: "custom", allowedConsentIds: ["C0004"], deniedConsentIds: [] };
analytics.load(key, host, options);

analytics.identify(first.userId, first.traits);
analytics.track("Lead Generated", { value: 0 });
analytics.page("Pricing", { path: "/pricing" });
analytics.group("globex", { name: "Globex" });
for (const person of others) {
  analytics.identify(person.userId, person.traits);
}
