import { describe, expect, it } from "vitest";
import { en } from "../../i18n/en";
import { zhCN } from "../../i18n/zh-CN";
import { givenBy, placeOf, said, settingOf } from "./words";

const called = { group: (key: string) => key.toUpperCase(), channel: (_: string, key: string) => `#${key}` };

describe("settingOf", () => {
  // Every name that policies.Opens, policies.Raised and the like can give.
  const names = ["limits.four_eyes", "guests.sponsor", "guard.move", "guard.absence", "guard.cleanup", "guard.attribute", "guard.cleared", "guard.unit", "guard.group", "separation.apart", "groups.apollo.eligibility.join", "groups.apollo.successors", "groups.apollo.channels.ops.labels", "groups.apollo.channels.ops.handover"];
  for (const kind of ["join", "guest", "elevation", "plan", "release", "break_glass", "retention", "file"]) for (const what of ["by", "people"]) names.push(`approvals.${kind}.${what}`, `groups.apollo.approvals.${kind}.${what}`);
  it.each(names)("%s has words in both languages", (name) => {
    for (const t of [en, zhCN]) {
      const text = settingOf(t, called, name);
      expect(text).not.toContain(name);
      expect(text).not.toMatch(/[{}]|break_glass|undefined/);
      if (name.startsWith("groups.")) expect(text).toContain("APOLLO");
      if (name.includes("channels")) expect(text).toContain("#ops");
    }
  });
  it("leaves what it does not know", () => expect(settingOf(en, called, "new.thing")).toBe("new.thing"));
});

describe("givenBy", () => {
  const reasons = ["rule apollo/rnd@3", "handover ops@3", "guest ops", "approval elevation/ask_1", "approval request/ask_1", "grant tok_1", "join eligibility", "keep hld_1"]; // Reason.String
  it.each(reasons)("%s has words in both languages", (reason) => {
    for (const t of [en, zhCN]) {
      const text = givenBy(t, called, "apollo", reason);
      expect(text).not.toMatch(/apollo|ask_|hld_|tok_|eligibility|@|undefined/);
      if (reason.startsWith("rule")) expect(text).toContain("APOLLO / rnd");
      if (reason.includes("ops")) expect(text).toContain("#ops");
    }
  });
  it("leaves what it does not know", () => expect(givenBy(en, called, "apollo", "new thing")).toBe("new thing"));
});

describe("placeOf", () => {
  it.each([
    ["apollo", "APOLLO"],
    ["apollo/ops", "APOLLO / # #ops"],
  ])("%s", (name, text) => expect(placeOf(called, name)).toBe(text));
});

describe("fields of a difference", () => {
  // Every name that policies.Diff gives to a field.
  const fields = "name description eligibility successors approvals notifications labels access default_history handover role when never_together never by people lapse_days most_days default floor ceiling before_end_days tell four_eyes sponsor limits absence cleanup move attribute cleared unit group";
  it.each(fields.split(" "))("%s has words in both languages", (field) => {
    for (const t of [en, zhCN]) expect(Object.hasOwn(t.policies.field, field)).toBe(true);
  });
});

describe("said", () => {
  it.each([
    [[{ kind: "owners" }, { kind: "admins", admins: "security" }], "[owners, {admins: security}]"],
    [[{ group: "apollo", channel: "general" }, { group: "vault" }], "[apollo/general, vault]"],
    [{ days: 30, role: "participant" }, "{days: 30, role: participant}"],
    [{ join: 'person.department == "R&D"' }, "{join: 'person.department == \"R&D\"'}"],
    ['person.department ==\n "R&D"', 'person.department == "R&D"'],
    [2, "2"],
  ])("%j", (value, text) => expect(said(value)).toBe(text));
});
