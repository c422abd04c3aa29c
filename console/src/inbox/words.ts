import { calledIn, type Called, type Notice } from "../api/inbox";
import { word, type Locale, type Texts } from "../i18n";
import { full, known } from "../i18n/time";
import type { Me } from "../api/me";
import { may } from "../session/rules";

/** short is a language as names have it. */
const short = (locale: Locale) => (locale === "zh-CN" ? "zh" : "en");

/** nameOf answers what an id is called in a language. */
export const nameOf = (names: Called, locale: Locale, id: string | undefined) => calledIn(names, short(locale), id);

/** noticeText answers what a notice says. */
export function noticeText(t: Texts, locale: Locale, n: Notice, names: Called): string {
  const make = Object.hasOwn(t.inbox.kinds, n.kind) ? t.inbox.kinds[n.kind] : undefined;
  if (!make) return t.inbox.unknown(n.kind);
  const at = n.about["at"];
  return make({
    who: nameOf(names, locale, n.about["person"]),
    thing: nameOf(names, locale, n.about["thing"] ?? n.about["object"]),
    at: known(at) ? full(at, locale) : "",
    days: n.about["days"] ?? "",
    state: n.about["state"] ?? "",
    problem: n.about["problem"] ?? "",
  });
}

/** whereTo answers the page where one acts on a notice; empty where there is none, or it is not for this person. */
export function whereTo(me: Me, n: Notice): string {
  switch (n.kind) {
    case "leaving.soon":
    case "leaving.withdrawn":
    case "leave.over":
      return may(me, "people.read") && n.about["person"] ? `/admin/people/${n.about["person"]}` : "";
    case "handover.waiting":
      return may(me, "people.read") ? "/admin/handovers" : "";
    case "review.waiting":
    case "review.finding":
      return may(me, "reviews.read") ? (n.about["review"] ? `/admin/evidence/reviews/${n.about["review"]}` : "/admin/evidence") : "";
    case "plan.due":
      return may(me, "plans.read") && n.about["plan"] ? `/admin/policies/plans/${n.about["plan"]}` : "";
    case "approval.granted":
    case "approval.refused":
    case "approval.lapsed":
      if (n.about["kind"] === "plan") return may(me, "plans.read") && n.about["object"] ? `/admin/policies/plans/${n.about["object"]}` : "";
      if (n.about["kind"] === "release") return may(me, "holds.read") ? "/admin/holds" : "";
      if (n.about["kind"] === "retention") return may(me, "requests.read") ? "/admin/approvals" : "";
      return n.about["kind"] === "break_glass" ? (may(me, "requests.read") ? "/admin/approvals" : "") : "/groups";
    case "guest.ending":
    case "guest.idle":
    case "guest.unsponsored":
    case "guest.asks":
      return "/guests";
    case "hold.opened":
      return may(me, "holds.read") ? "/admin/holds" : "";
    case "emergency.opened":
      return me.admin ? "/admin/admins" : "";
  }
  return "";
}

/** whyText answers in words what of the policy found somebody: "member participant" as "member". */
export const whyText = (t: Texts, why: string | undefined) => word(t.inbox.why, why?.split(" ")[0]);
