// What notices say. Each kind of the server has a text; inbox.test.ts reads them from its source.

/** Told is what a text may name. */
export type Told = { who: string; thing: string; at: string; days: string; state: string; problem: string };

const problems: Record<string, string> = {
  drift: "something has changed since it was made",
  held: "the guard holds it",
  needs_approval: "nobody else approved it",
  closed: "it was over already",
  administrator: "whoever scheduled it is no administrator any more",
  invalid: "it is not valid any more",
};

const kinds: Record<string, (x: Told) => string> = {
  "leaving.soon": (x) => `${x.who} leaves at ${x.at}, within ${x.days === "1" ? "a day" : `${x.days} days`} of this notice.`,
  "leaving.withdrawn": (x) => `The end of ${x.who} at ${x.at} was moved or taken back.`,
  "leave.over": (x) => `The leave of ${x.who} was over at ${x.at}, but a source still says that they are away. ${x.state === "paused" ? "They stay paused until the source takes it back." : "They have their access back."}`,
  "handover.offered": (x) => `You answer for ${x.thing} now, because ${x.who} does not any more. Do you take it over?`,
  "handover.waiting": (x) => `Nobody answers for ${x.thing} since ${x.who} does not any more. Please say who does.`,
  "handover.over": (x) => `Somebody else answers for ${x.thing} again. You need not any more.`,
  "plan.due": (x) => (x.state === "applied" ? "Your scheduled plan was applied." : `Your scheduled plan was not applied: ${problems[x.problem] ?? x.problem}.`),
  "emergency.opened": (x) => `The emergency account was opened at ${x.at}. If you do not know why, find out now.`,
};

export const inbox = {
  title: "Inbox",
  lead: "What Rollcall tells you.",
  none: "Nothing yet",
  noneHint: "What concerns you comes here: somebody of your team leaves, you are asked to take something over.",
  unread: (n: number) => (n === 1 ? "1 not read" : `${n} not read`),
  read: "Mark as read",
  readAll: "Mark all as read",
  open: "Open",
  kinds,
  unknown: (kind: string) => `A notice of the kind ${kind}`,
  mine: "To take over",
  mineHint: "You answer for it already. If you refuse, the next one is asked.",
  from: (who: string) => `from ${who}`,
  accept: "Take over",
  refuse: "Refuse",
  refuseTitle: (thing: string) => `Refuse ${thing}?`,
  refuseText: "The next one is asked, or the administrators.",
  accepted: "You took it over.",
  refused: "You refused.",
  handovers: "Handovers",
  handoversLead: "What nobody answers for since somebody left, and what was offered to somebody.",
  state: { waiting: "Wait for you", offered: "Offered", accepted: "Accepted", refused: "Refused", ended: "Over" },
  noneWaiting: "Nothing waits",
  noneWaitingHint: "Each project group has somebody who answers for it, or never had.",
  noneOffered: "Nothing is offered",
  assign: "Say who answers",
  assignTitle: (thing: string) => `Who answers for ${thing}?`,
  assignText: "They own it from then on, and are asked whether they keep it.",
  assigned: "Assigned.",
  why: { manager: "the manager", person: "named in the policy", admin: "chosen by an administrator", member: "a member of the group" },
  sheet: "Handover",
  sheetHint: "What this person answers for, and where it would go.",
  sheetLeft: "What this person answered for, and where it went.",
  alone: "nobody else",
  others: "others do too",
  would: (who: string, why: string) => `would go to ${who}${why && ` (${why})`}`,
  wouldWait: "would wait for the administrators",
  went: (who: string, why: string) => `went to ${who}${why && ` (${why})`}`,
  waits: "waits for the administrators",
};
