// The order that nothing of an address is ever sent, and its end.

import { send } from "./api.js";
import { ask, h, toast } from "./dom.js";
import { time } from "./rows.js";

const NEVER = "Whatever is said of it, no call is made: no contact, no deal, no withdrawal of consent. What Freshsales has of it stays as it is. It holds for ever, until somebody undoes it here.";
const AGAIN = "What is wanted of the contact by now is sent.";

// Since when, with a button for the other order; `changed` reads the contact anew.
export function suppression(email, since, changed) {
  const order = async (title, words, label, method, path, body) => {
    const sure = await ask(title, h("p", {}, h("strong", {}, email), ": ", words), [
      { label: "Leave it", value: false },
      { label, value: true, primary: true, danger: !since },
    ]);
    if (!sure) return;
    try {
      await send(method, path, body);
      toast(since ? "It may be sent again" : "Nothing of it is sent any more");
      await changed();
    } catch (error) {
      toast(error.message);
    }
  };
  const never = () => order("Never send this address?", NEVER, "Never send it", "POST", "api/people/suppress", { email });
  const again = () => order("Send this address again?", AGAIN, "Send it again", "DELETE", `api/people/suppress?email=${encodeURIComponent(email)}`);
  const button = (label, needs, click) => h("button", { type: "button", class: "quiet", "data-needs": needs, on: { click } }, label);
  if (since) return ["suppressed since ", time(since), " ", button("Send again…", "DELETE /api/people/suppress", again)];
  return button("Never send…", "POST /api/people/suppress", never);
}
