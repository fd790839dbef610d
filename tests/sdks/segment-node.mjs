// Drives @segment/analytics-node as its users do. What it is told comes in the environment.
import { Analytics } from "@segment/analytics-node";

const { SDK_HOST: host, SDK_KEY: key, SDK_PEOPLE } = process.env;
const [first, ...others] = JSON.parse(SDK_PEOPLE);

const analytics = new Analytics({ writeKey: key, host: host });

const { userId } = first;
const context = { consent: { categoryPreferences: { marketing: true } } };
analytics.identify({ userId, traits: first.traits, context });
analytics.track({ userId, event: "Lead Generated", properties: { value: 0 } });
analytics.page({ userId, name: "Pricing", properties: { path: "/pricing" } });
analytics.group({ userId, groupId: "globex", traits: { name: "Globex" } });
for (const person of others) {
  analytics.identify({ ...person, context });
}
await analytics.closeAndFlush({ timeout: 60000 });
