import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { en } from "./en";
import { ago, dayWords, known } from "./time";
import { nameIn, word } from "./types";
import { zhCN } from "./zh-CN";

const leaves = (value: object, at = ""): [string, unknown][] =>
  Object.entries(value).flatMap(([key, v]: [string, unknown]) => (typeof v === "object" && v !== null ? leaves(v, `${at}${key}.`) : [[`${at}${key}`, v] as [string, unknown]]));

describe("texts", () => {
  it("have the same keys and kinds in both languages, none of them empty", () => {
    const english = leaves(en);
    const chinese = new Map(leaves(zhCN));
    expect([...chinese.keys()].sort()).toEqual(english.map(([key]) => key).sort());
    for (const [key, v] of english) {
      expect(typeof chinese.get(key), key).toBe(typeof v);
      expect(v, key).not.toBe("");
      expect(chinese.get(key), key).not.toBe("");
    }
  });

  it("are written in Chinese in the Chinese files", () => {
    const same = new Set(["SCIM", "LDAP", "OpenFGA", "Rollcall", "、"]);
    for (const [key, v] of leaves(zhCN)) {
      const text = typeof v === "function" ? String((v as (...a: unknown[]) => unknown)(3, 4)) : String(v);
      expect(/\p{Script=Han}/u.test(text) || same.has(text) || /^\d+\+$/.test(text), `${key}: ${text}`).toBe(true);
    }
  });
});

describe("names", () => {
  it("come in the language that is asked for, else in another one, else as the key", () => {
    expect(nameIn("zh-CN", { en: "General", zh: "综合" }, "general")).toBe("综合");
    expect(nameIn("en", { zh: "综合" }, "general")).toBe("综合");
    expect(nameIn("en", {}, "general")).toBe("general");
    expect(nameIn("en", null, "general")).toBe("general");
    expect(nameIn("en", "Plain", "general")).toBe("Plain");
  });

  it("of codes fall back to the code", () => {
    expect(word(en.words.status, "active")).toBe("Active");
    expect(word(en.words.status, "toString")).toBe("toString");
    expect(word(en.words.status, undefined)).toBe("");
  });
});

describe("times", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  it("are told in words", () => {
    expect(ago("2026-03-10T11:55:00Z", "en", now)).toBe("5 minutes ago");
    expect(ago("2026-03-09T11:00:00Z", "zh-CN", now)).toBe("昨天");
    expect(ago("2026-03-12T13:00:00Z", "en", now)).toBe("in 2 days");
    expect(dayWords("2026-03-10T01:00:00", "en", new Date("2026-03-10T12:00:00"))).toBe("Today");
    expect(known("0001-01-01T00:00:00Z")).toBe(false);
    expect(known(undefined)).toBe(false);
  });
});

describe("the source", () => {
  const files = (dir: string): string[] => readdirSync(dir).flatMap((f) => (statSync(join(dir, f)).isDirectory() ? files(join(dir, f)) : [join(dir, f)]));
  const all = files(new URL("..", import.meta.url).pathname).filter((f) => /\.tsx?$/.test(f) && !f.endsWith(".test.ts"));

  it("uses no any", () => {
    for (const f of all) {
      const code = readFileSync(f, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`/gm, "");
      expect(/(?:[:<,|&=(]|\bas)\s*any\b(?!\w)/.test(code), f).toBe(false);
      expect(/@ts-(?:ignore|nocheck|expect-error)/.test(readFileSync(f, "utf8")), f).toBe(false);
    }
  });

  it("talks to no other host", () => {
    for (const f of all) {
      const code = readFileSync(f, "utf8").replace(/\/\/ .*$/gm, "");
      expect(/https?:\/\/(?!127\.0\.0\.1)/.test(code), f).toBe(false);
    }
  });

  it("names colours in the tokens only", () => {
    const styles = files(new URL("..", import.meta.url).pathname).filter((f) => f.endsWith(".css") && !f.endsWith("chroma.css"));
    for (const f of [...styles, ...all.filter((f) => f.endsWith(".tsx"))]) {
      expect(/#[0-9a-f]{3,8}\b/i.test(readFileSync(f, "utf8").replace(/href="#|url\(#/g, "")), f).toBe(false);
    }
  });
});
