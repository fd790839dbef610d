// Drives @jitsu/js as its users do on a server. What it is told comes in the environment.
import { jitsuAnalytics } from "@jitsu/js";

const { SDK_HOST: host, SDK_KEY: key, SDK_PEOPLE } = process.env;
const [first, ...others] = JSON.parse(SDK_PEOPLE);

async function insisting(url, options) {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(url, options).catch(() => null);
    if ((answer && answer.status < 500) || attempt === 9) return answer ?? Response.error();
    await new Promise((wake) => setTimeout(wake, 500 * 2 ** attempt));
  }
}

const analytics = jitsuAnalytics({ host: host, writeKey: `${key}:x`, fetch: insisting });

await analytics.configure({ privacy: { consentCategories: { marketing: true } } });
await analytics.identify(first.userId, first.traits);
await analytics.track("Lead Generated", { value: 0 });
await analytics.page({ path: "/pricing" });
await analytics.group("globex", { name: "Globex" });
for (const person of others) {
  await analytics.identify(person.userId, person.traits);
}
