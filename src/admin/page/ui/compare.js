// What Freshsales has of a contact now, beside what is wanted. It costs a call, so the button that asks says so.

import { get } from "./api.js";
import { h, show, toast } from "./dom.js";
import { note, table } from "./rows.js";
import { many, pretty } from "./words.js";

const SIDES = {
  different: ["wait", "differs"],
  ours_alone: ["wait", "Freshsales has nothing"],
  theirs_alone: ["calm", "nothing is wanted"],
  same: ["good", "the same"],
};

function value(said) {
  return said === null ? h("span", { class: "faint" }, "—") : h("code", {}, pretty(said));
}

function found(answer) {
  const rows = Object.entries(answer.attributes);
  const order = Object.keys(SIDES);
  rows.sort(([, one], [, other]) => order.indexOf(one.side) - order.indexOf(other.side));
  const columns = [
    { name: "Attribute", cell: ([name]) => h("code", {}, name) },
    { name: "Wanted", cell: ([, it]) => value(it.wanted) },
    { name: "Freshsales has now", cell: ([, it]) => value(it.freshsales) },
    { name: "So", cell: ([, it]) => h("span", { class: `pill ${SIDES[it.side][0]}` }, SIDES[it.side][1]) },
  ];
  const differ = rows.filter(([, it]) => it.side === "different" || it.side === "ours_alone").length;
  const title = {
    one: differ ? `${many(differ, "attribute")} differ from what is wanted` : "Freshsales has what is wanted",
    nobody: "Freshsales has no contact with this address",
    several: "Freshsales has several contacts with this address; the first is shown",
    unknown: answer.calls ? "Freshsales answered, but not with the contact" : "Freshsales was not asked",
  }[answer.in_freshsales];
  const tone = answer.in_freshsales === "one" && !differ ? "good" : "calm";
  const cost = `That cost ${many(answer.calls, "call")} of the allowance.`;
  const merged = answer.other_id && `Known here as ${answer.other_id}, there it is ${answer.contact_id}: it was merged, or made anew.`;
  const why = answer.why && `${answer.why}.`;
  return [
    note(tone, title, [why, merged, cost].filter(Boolean).join(" ")),
    answer.in_freshsales !== "nobody" && rows.length > 0 && table("What is wanted beside what Freshsales has now", columns, rows),
  ];
}

// A button, and below it what was answered last.
export function comparing(email) {
  const place = h("div", { class: "list" });
  const button = h("button", { type: "button", class: "quiet" }, "Compare with Freshsales (costs 1 call)");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      show(place, ...found(await get("api/crm/contacts", { email })));
    } catch (error) {
      toast(error.message);
    } finally {
      button.disabled = false;
    }
  });
  return [h("p", {}, button), place];
}
