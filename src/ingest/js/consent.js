// --- Consent.

// What this browser said last, and whether Global Privacy Control was on then.
const chosen = attempt(() => JSON.parse(localStorage.getItem(PREFIX + "consent"))) || {};
const say = (categoryPreferences) => {
  chosen.said = { ...chosen.said, ...categoryPreferences };
  chosen.gpc = !!navigator.globalPrivacyControl;
  attempt(() => localStorage.setItem(PREFIX + "consent", JSON.stringify(chosen)));
  emit("identify", {}, { context: { consent: { categoryPreferences } } });
};
// A consent tool tells its state again and again; only what is new in it is a choice.
const hear = (preferences) => {
  const said = chosen.said || {};
  const fresh = Object.entries(preferences).filter(([code, choice]) => said[code] !== choice);
  if (fresh.length) say(Object.fromEntries(fresh));
};
const tools = {
  // `gtag("consent", "update", …)`. A `default` is none of the visitor's doing.
  google() {
    const look = (entry) => {
      if (!entry || entry[0] !== "consent" || entry[1] !== "update") return;
      const isChoice = ([, value]) => value === "granted" || value === "denied";
      const choices = Object.entries(entry[2]).filter(isChoice);
      hear(Object.fromEntries(choices.map(([code, value]) => [code, value === "granted"])));
    };
    let heard;
    const listen = () => {
      const layer = (window.dataLayer ||= []);
      if (layer === heard) return;
      heard = layer;
      const push = layer.push;
      layer.push = function (...entries) {
        entries.forEach((entry) => attempt(() => look(entry)));
        return push.apply(this, entries);
      };
      layer.forEach((entry) => attempt(() => look(entry)));
    };
    // A page may put another one in its place.
    setInterval(() => attempt(listen), 500);
    listen();
  },
  onetrust() {
    const look = () => {
      const tool = window.OneTrust;
      // Closed means that the visitor has chosen, now or on an earlier visit.
      if (!tool || !tool.IsAlertBoxClosed || !tool.IsAlertBoxClosed()) return;
      const active = window.OnetrustActiveGroups.split(",");
      const codes = tool.GetDomainData().Groups.map((group) => group.CustomGroupId);
      hear(Object.fromEntries(codes.map((code) => [code, active.includes(code)])));
    };
    addEventListener("OneTrustGroupsUpdated", () => attempt(look));
    attempt(look);
  },
  cookiebot() {
    const look = () => {
      const { hasResponse, consent } = window.Cookiebot || {};
      if (!hasResponse || consent.method === "implied") return;
      const { preferences, statistics, marketing } = consent;
      hear({ preferences, statistics, marketing });
    };
    for (const name of ["ConsentReady", "Accept", "Decline"]) {
      addEventListener("CookiebotOn" + name, () => attempt(look));
    }
    attempt(look);
  },
  tcf(tries = 20) {
    if (!window.__tcfapi) return tries && setTimeout(() => tools.tcf(tries - 1), 500);
    window.__tcfapi("addEventListener", 2, (data, success) => {
      // `cmpuishown` comes before the choice, and where the law does not apply nobody was asked.
      if (!success || !data.gdprApplies || !["tcloaded", "useractioncomplete"].includes(data.eventStatus)) return;
      const purposes = data.purpose.consents;
      const codes = Object.entries(purposes).map(([number, choice]) => ["tcf_" + number, choice]);
      // Profiles for advertising, and advertising by them.
      hear({ ...Object.fromEntries(codes), advertising: !!(purposes[3] && purposes[4]) });
    });
  },
};
