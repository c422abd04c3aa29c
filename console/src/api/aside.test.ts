import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { en } from "../i18n/en";
import { about, denied, permission, retry, setAside, type SetAside } from "./aside";

const root = new URL("../../../", import.meta.url).pathname;
const files = (dir: string): string[] => readdirSync(dir).flatMap((f) => (statSync(join(dir, f)).isDirectory() ? files(join(dir, f)) : [join(dir, f)]));
const go = ["cmd/rollcall", "directory", "provisioning"]
  .flatMap((dir) => files(root + dir))
  .filter((f) => f.endsWith(".go") && !f.endsWith("_test.go"))
  .map((f) => readFileSync(f, "utf8"))
  .join("\n");

const one = (more: Partial<SetAside>): SetAside => ({ follower: "reconcile", subject: "per_1", person: "per_1", kind: "person.changed", events: 1, attempts: 1, problem: "panic: x", closed: true, since: "2026-03-10T12:00:00Z", retry_at: "2026-03-10T12:00:02Z", ...more });

afterEach(() => vi.unstubAllGlobals());

describe("what was set aside", () => {
  it("has a word for each follower that the server has", () => {
    const names = [...go.matchAll(/feed\.Follower\{Name: (?:"([a-z_]+)"|(\w+))/g)].map((m) => m[1] ?? new RegExp(`${m[2] ?? ""} = "([a-z_]+)"`).exec(go)?.[1] ?? "");
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((n) => !Object.hasOwn(en.aside.follower, n))).toEqual([]);
    expect(Object.keys(en.aside.follower).filter((n) => !names.includes(n))).toEqual([]);
  });

  it("is shown and tried again by whom the server lets", () => {
    const routes = readFileSync(`${root}cmd/rollcall/routes.go`, "utf8");
    const named = (rest: string) => {
      const variable = new RegExp(`"${rest}", (\\w+),`).exec(routes)?.[1] ?? "";
      const constant = new RegExp(`${variable}(?:,[^=\\n]*)? *:?= *.*roles\\.(\\w+)`).exec(routes)?.[1] ?? variable.replace(/^./, (c) => c.toUpperCase());
      return new RegExp(`${constant} +Permission = "([a-z._]+)"`).exec(readFileSync(`${root}internal/roles/table.go`, "utf8"))?.[1];
    };
    expect(named("/api/v1/set-aside")).toBe(permission.read);
    expect(named("/api/v1/set-aside/\\{follower\\}/\\{subject\\}/retry")).toBe(permission.retry);
  });

  it("denies each person once, and only where it closes", () => {
    expect(denied([one({}), one({ follower: "merged" }), one({ person: "per_2", closed: false }), one({ person: undefined, subject: "grp_1" })])).toEqual(["per_1"]);
  });

  it("is about a person by name or as a subject", () => {
    const items = [one({}), one({ subject: "grp_1", person: "per_1" }), one({ subject: "per_2", person: "per_2" }), one({ subject: "grp_2", person: undefined })];
    expect(about(items, "per_1").map((i) => i.subject)).toEqual(["per_1", "grp_1"]);
    expect(about(items, "per_9")).toEqual([]);
  });

  it("is asked for and tried again where the server has it, whatever its subject is called", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
      asked.push(`${init.method ?? "GET"} ${url}`);
      return Promise.resolve(new Response(JSON.stringify({ items: [one({})] }), { headers: { "Content-Type": "application/json" } }));
    });
    expect((await setAside()).items).toHaveLength(1);
    await retry(one({ follower: "places", subject: "a/b c" }));
    expect(asked).toEqual(["GET /api/v1/set-aside", "POST /api/v1/set-aside/places/a%2Fb%20c/retry"]);
  });
});
