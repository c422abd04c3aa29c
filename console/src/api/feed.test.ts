import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { en } from "../i18n/en";
import { byGroup, effect, fields, kindOfName, withColumn } from "./feed";

const dir = new URL("../../../directory/hrfeed/", import.meta.url).pathname;
const go = readdirSync(dir)
  .filter((f) => f.endsWith(".go") && !f.endsWith("_test.go"))
  .map((f) => readFileSync(dir + f, "utf8"))
  .join("\n");

describe("a personnel file", () => {
  it("says by its name whether it is full or a delta, as the server reads it", () => {
    expect(["people.full.csv", "2026-01.DELTA.xlsx", "people.csv", "full.csv", "delta", "a.full.delta.csv"].map(kindOfName)).toEqual(["full", "delta", "", "", "", "delta"]);
  });

  it("changes what is new, changed, ended, deleted or missing", () => {
    const none = { rows: 9, refused: 2, people: 7, new: 0, changed: 0, ended: 0, deleted: 0, unchanged: 7, absent: 0, units: 0 };
    expect(effect(none)).toBe(0);
    expect(effect({ ...none, new: 1, absent: 2, units: 1 })).toBe(4);
  });

  it("ends memberships, counted by group", () => {
    expect(byGroup([{ group: "b" }, { group: "a" }, { group: "b" }, { group: "c" }])).toEqual([["b", 2], ["a", 1], ["c", 1]]);
    expect(byGroup(undefined)).toEqual([]);
  });

  it("gets headings of one's own without losing the others", () => {
    expect(withColumn({ columns: { 岗位: "title" }, date_order: "dmy" }, "级别", "label.grade")).toEqual({ columns: { 岗位: "title", 级别: "label.grade" }, date_order: "dmy" });
    expect(withColumn({ columns: { 岗位: "title" } }, "岗位", "")).toEqual({ columns: {} });
  });
});

describe("what the server says of a file", () => {
  it("has words for each reason", () => {
    const codes = [...go.matchAll(/(?:because\(|note\(in, |wrong\(at, -?\w+, |Code: )"([a-z_]+)"/g)].map((m) => m[1] ?? "");
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((c) => !Object.hasOwn(en.feed.why, c))).toEqual([]);
  });

  it("has words for each error of a whole file", () => {
    const codes = [...go.matchAll(/\{Err\w+, "([a-z_]+)"\}/g)].map((m) => m[1] ?? "");
    expect(codes.length).toBeGreaterThan(5);
    expect(codes.filter((c) => !Object.hasOwn(en.feed.problem, c))).toEqual([]);
  });

  it("knows the fields that are offered for a column", () => {
    const known = new Set([...go.matchAll(/"([a-z_]+)"/g)].map((m) => m[1] ?? ""));
    expect(fields.filter((f) => !known.has(f))).toEqual([]);
    expect(fields.filter((f) => !Object.hasOwn(en.feed.field, f))).toEqual([]);
  });
});
