import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { calledIn } from "../api/inbox";
import { en } from "../i18n/en";
import { zhCN } from "../i18n/zh-CN";
import { noticeText, whereTo } from "./words";

const root = new URL("../../..", import.meta.url).pathname;
const files = (dir: string): string[] => readdirSync(dir).flatMap((f) => (statSync(join(dir, f)).isDirectory() ? files(join(dir, f)) : [join(dir, f)]));
const server = ["authz", "chat", "cmd", "directory", "internal", "provisioning"].flatMap((d) => files(join(root, d))).filter((f) => f.endsWith(".go") && !f.endsWith("_test.go"));
const found = (pattern: RegExp) => [...new Set(server.flatMap((f) => [...readFileSync(f, "utf8").matchAll(pattern)].map((m) => m[1] ?? "")))].sort();

describe("the codes of the server", () => {
  it("have a text for each kind of notice in both languages, and no text is for a kind that is not", () => {
    const kinds = found(/notices\.Kind = "([a-z._]+)"/g);
    expect(kinds).toContain("leaving.soon");
    expect(Object.keys(en.inbox.kinds).sort()).toEqual(kinds);
    expect(Object.keys(zhCN.inbox.kinds).sort()).toEqual(kinds);
  });

  it("have a word for each action of the audit log", () => {
    const actions = [...found(/\bAction: +"([a-z_]+\.[a-z_]+)"/g), ...found(/\.(?:note|record)\("([a-z_]+\.[a-z_]+)"/g)];
    expect(actions).toContain("plan.approved");
    expect(actions.filter((a) => !Object.hasOwn(en.audit.actions, a))).toEqual([]);
  });

  it("have a word for each permission", () => {
    expect(found(/Permission = "([a-z._]+)"/g).filter((p) => !Object.hasOwn(en.admins.permission, p))).toEqual([]);
  });
});

describe("a notice", () => {
  const notice = (kind: string, about: Record<string, string>) => ({ id: "ntc_1", kind, about, at: "2026-03-01T08:00:00Z" });
  const names = { grp_1: { en: "Apollo", zh: "阿波罗" }, per_1: { "": "Lin Yan" } };

  it("says who and what by the names of the moment", () => {
    const n = notice("handover.offered", { thing: "grp_1", person: "per_1" });
    expect(noticeText(en, "en", n, names)).toBe("You answer for Apollo now, because Lin Yan does not any more. Do you take it over?");
    expect(noticeText(zhCN, "zh-CN", n, names)).toBe("Lin Yan 不再负责「阿波罗」，现由你负责。是否接手？");
    expect(noticeText(en, "en", notice("plan.due", { state: "refused", problem: "drift" }), {})).toContain("something has changed");
  });

  it("of a kind that is not known names the kind", () => {
    expect(noticeText(en, "en", notice("toString", {}), names)).toBe("A notice of the kind toString");
  });

  it("leads only where its reader may go", () => {
    expect(whereTo({ permissions: ["people.read"] }, notice("handover.waiting", {}))).toBe("/admin/handovers");
    expect(whereTo({}, notice("handover.waiting", {}))).toBe("");
    expect(whereTo({ permissions: ["requests.read"] }, notice("approval.granted", { kind: "break_glass" }))).toBe("/admin/approvals");
    expect(whereTo({}, notice("approval.granted", { kind: "join" }))).toBe("/groups");
    expect(whereTo({}, notice("leaving.soon", { person: "per_1" }))).toBe("");
  });

  it("shows an id that has no name as it is", () => {
    expect(calledIn({}, "en", "grp_2")).toBe("grp_2");
    expect(calledIn({ grp_2: { zh: "乙" } }, "en", "grp_2")).toBe("乙");
  });
});
