import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { en } from "../i18n/en";
import { needsLook, secondsOf, span, type Run } from "./health";
import { draftOf, mappingOf, rowsOf, same, usedBy, wordsOf, wrong, type MappingInForce, type Sample } from "./ldap";

const inForce: MappingInForce = {
  fields: [
    { field: "display_name", from: ["displayname", "cn"], defaults: ["displayname", "cn"], own: false },
    { field: "title", from: ["extensionattribute1", "title"], defaults: ["title"], own: true },
    { field: "company", from: [], defaults: [], own: true },
  ],
  labels: [{ label: "site", from: "l" }],
  version: 0,
  file: true,
  versions: [],
};

describe("a mapping", () => {
  it("is edited as it is: the default is empty, nothing is a dash", () => {
    const draft = draftOf(inForce);
    expect(draft.fields).toEqual({ display_name: "", title: "extensionattribute1, title", company: "-" });
    expect(mappingOf(draft)).toEqual({ mapping: { title: "extensionattribute1,title", company: "-" }, labels: { site: "l" } });
    expect(same(draft, draftOf(inForce))).toBe(true);
  });

  it("is the same in other blanks, case and order, and with an empty label", () => {
    const draft = draftOf(inForce);
    expect(same(draft, { fields: { company: "-", title: " ExtensionAttribute1 ,title,", display_name: "" }, labels: [...draft.labels, { label: "", from: "" }] })).toBe(true);
    expect(same(draft, { ...draft, fields: { ...draft.fields, title: "title" } })).toBe(false);
    expect(same(draft, { ...draft, labels: [] })).toBe(false);
  });

  it("names only what may be an LDAP attribute", () => {
    for (const list of ["", "-", "title", "cn;lang-en, 2.5.4.12", "extensionAttribute1,title"]) expect(wrong(list), list).toBeUndefined();
    expect(wrong("title, job title")).toBe("job title");
    expect(wrong("título")).toBe("título");
    expect(wrong("1title")).toBe("1title");
  });

  it("is told in words, version by version", () => {
    expect(wordsOf({ version: 2, at: "", actor: "per_1", file: false, mapping: { title: "description" }, labels: { site: "l" } })).toEqual([["title", "description"], ["label.site", "l"]]);
    expect(wordsOf({ version: 3, at: "", actor: "per_1", file: true })).toEqual([]);
  });

  it("is shown on an entry: what it makes now beside what it would make", () => {
    const entry: Sample = {
      dn: "uid=a", key: "1", active: true, attributes: [],
      made: [{ field: "title", value: "Engineer", from: "title" }, { field: "department", value: "R&D", from: "department" }],
      proposed: [{ field: "title", value: "Chief", from: "description" }, { field: "label.site", value: "SZ", from: "l" }],
    };
    expect(rowsOf(entry, ["title", "department", "email"]).map((r) => [r.field, r.now?.value, r.then?.value, r.differs])).toEqual([
      ["title", "Engineer", "Chief", true],
      ["department", "R&D", undefined, true],
      ["label.site", undefined, "SZ", true],
    ]);
    expect(rowsOf({ ...entry, proposed: undefined }, ["title"]).every((r) => !r.differs)).toBe(true);
    expect(usedBy(entry, "description")).toEqual(["title"]);
    expect(usedBy(entry, "title")).toEqual([]);
  });
});

describe("a source's health", () => {
  it("tells time in the unit that says enough", () => {
    expect([-5, 180, 1234, 12_345, 90_000, 7_200_000, 200_000_000].map(span)).toEqual([
      { unit: "ms", value: 0 },
      { unit: "ms", value: 180 },
      { unit: "second", value: 1.2 },
      { unit: "second", value: 12 },
      { unit: "minute", value: 1 },
      { unit: "hour", value: 2 },
      { unit: "day", value: 2 },
    ]);
  });

  it("knows how long a run took, where it has ended", () => {
    const run: Run = { id: "run_1", kind: "full", ok: true, findings: [], started_at: "2026-03-10T12:00:00Z" };
    expect(secondsOf({ ...run, ended_at: "2026-03-10T12:00:02.500Z" })).toBe(2.5);
    expect(secondsOf({ ...run, ended_at: "0001-01-01T00:00:00Z" })).toBeUndefined();
    expect(secondsOf(run)).toBeUndefined();
  });

  it("asks for somebody where it failed, not where a source is only quiet", () => {
    expect((["ok", "failing", "stale", "quiet", "never", "unconfigured"] as const).filter((state) => needsLook({ state, follows: "poll", holds: 0 }))).toEqual(["failing", "stale", "unconfigured"]);
    expect(needsLook(undefined)).toBe(false);
  });
});

describe("what a directory reader finds", () => {
  it("has words for each code that the server may send", () => {
    const dir = new URL("../../../directory/ldap/", import.meta.url).pathname;
    const sources = readdirSync(dir).filter((f) => f.endsWith(".go") && !f.endsWith("_test.go"));
    const codes = sources.flatMap((f) => [...readFileSync(dir + f, "utf8").matchAll(/find\((?:Error|Warning|Info|severity), "([a-z_]+)"[,)]/g)].map((m) => m[1] ?? ""));
    expect(codes.length).toBeGreaterThan(15);
    const known = new Set(Object.keys(en.ldap.finding));
    expect(codes.filter((c) => !known.has(c))).toEqual([]);
  });
});
