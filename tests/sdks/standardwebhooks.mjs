// Verifies messages of outputs the way a receiver does, with the library of Standard Webhooks, by each secret; and that the
// library refuses a message that was changed.
import { Webhook } from "standardwebhooks";

const { secrets, messages } = JSON.parse(process.env.SDK_MESSAGES);
for (const secret of secrets) {
  const webhook = new Webhook(secret);
  for (const { headers, text } of messages) {
    const said = webhook.verify(text, headers);
    if (said.type !== JSON.parse(text).type) throw new Error("it read something else");
    let refused = false;
    try {
      webhook.verify(text.replace("ann", "eve"), headers);
    } catch {
      refused = true;
    }
    if (!refused) throw new Error("a changed message was taken");
  }
}
console.log(`${messages.length} messages verified by ${secrets.length} secrets`);
