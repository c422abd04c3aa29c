import { word, type Texts } from "../../i18n";

/** Called answers what project groups and their channels are called, by their keys. */
export type Called = { group: (key: string) => string; channel: (group: string, key: string) => string };

/** settingOf says which part of a policy a name of the server means, as "groups.apollo.channels.ops.handover" or "limits.four_eyes"; one that is not known stands as it is. */
export function settingOf(t: Texts, called: Called, name: string): string {
  const p = t.policies;
  const [first = "", key = "", third = "", fourth = "", fifth = ""] = name.split(".");
  if (name === "limits.four_eyes") return p.setting.fourEyes;
  if (name === "guests.sponsor") return p.setting.sponsor;
  if (first === "guard" && key in p.setting.guard) return p.setting.guardLimit(word(p.setting.guard, key));
  if (first === "approvals" && third in p.setting.decide) return word(p.setting.decide, third).replace("{}", word(t.approvals.kind, key));
  if (first === "separation" && key) return p.setting.separation(key);
  if (first !== "groups") return name;
  const group = called.group(key);
  if (third === "eligibility") return p.setting.join(group);
  if (third === "successors") return p.setting.successors(group);
  if (third === "approvals" && fifth in p.setting.decide) return p.setting.inGroup(word(p.setting.decide, fifth).replace("{}", word(t.approvals.kind, fourth)), group);
  if (third === "channels" && fifth === "labels") return p.setting.labels(called.channel(key, fourth), group);
  if (third === "channels" && fifth === "handover") return p.setting.handover(called.channel(key, fourth), group);
  return name;
}

/** placeOf says which group, or channel of a group, the server means by "apollo" or "apollo/general". */
export function placeOf(called: Called, name: string): string {
  const [group = "", channel = ""] = name.split("/");
  return channel ? `${called.group(group)} / # ${called.channel(group, channel)}` : called.group(group);
}

/** givenBy says what gives a place in a group, as a plan of the server names it: "rule apollo/rnd@3", "handover ops@3", "join eligibility"; what is not known stands as it is. */
export function givenBy(t: Texts, called: Called, group: string, reason: string): string {
  const [, kind = "", ref = "", version] = /^(\S+) (.*?)(?:@(\d+))?$/.exec(reason) ?? [];
  const [of = "", key = ""] = ref.split("/");
  switch (kind) {
    case "rule":
      return t.words.reason.rule(`${called.group(of)} / ${key}`, version ? Number(version) : undefined);
    case "handover":
      return t.policies.givenBy.handover(called.channel(group, ref));
    case "guest":
      return t.policies.givenBy.guest(called.channel(group, ref));
    case "approval":
      return of === "elevation" ? t.policies.givenBy.elevation : t.policies.givenBy.request;
    case "grant":
      return t.words.reason.grant("");
    case "join":
      return t.words.reason.join();
    case "keep":
      return t.words.reason.keep();
  }
  return reason;
}

const plain = /^[\p{L}\p{N}_./-]+( [\p{L}\p{N}_./-]+)*$/u;

/** said writes a value of a policy on one line, as the file would say it. */
export function said(value: unknown): string {
  return typeof value === "string" ? value.trim().split(/\s+/).join(" ") : flow(value);
}

function flow(value: unknown): string {
  if (typeof value === "string") {
    const text = said(value);
    return plain.test(text) ? text : `'${text.replaceAll("'", "''")}'`;
  }
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const of = value as Record<string, unknown>;
  const names = Object.keys(of);
  if (typeof of.kind === "string" && names.length === 1) return flow(of.kind); // an approver, or a successor
  if (of.kind === "member") return flow({ member: of.role });
  if (typeof of.group === "string" && names.every((n) => n === "group" || n === "channel") && (names.length === 1 || of.channel)) return flow([of.group, of.channel].filter(Boolean).join("/"));
  return `{${names.filter((n) => n !== "kind").sort().map((n) => `${n}: ${flow(of[n])}`).join(", ")}}`;
}
