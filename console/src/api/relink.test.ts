import { describe, expect, it } from "vitest";
import type { Health } from "./health";
import { canLink, otherIds, type Relinking } from "./relink";

const health = (more: Partial<Health>): Health => ({ state: "failing", follows: "stream", holds: 0, ...more });
const error = (code: string) => ({ code, text: "", failures: 1 });

describe("linking anew", () => {
  it("is offered where a directory is refused because of other ids, and nowhere else", () => {
    expect(otherIds(health({ error: error("reborn") }))).toBe(true);
    expect(otherIds(health({ error: error("implausible") }))).toBe(true);
    expect(otherIds(health({ error: error("unreachable") }))).toBe(false);
    expect(otherIds(undefined)).toBe(false);
    const run = { id: "run_1", kind: "full", started_at: "2026-01-01T00:00:00Z", findings: [{ severity: "error", code: "reborn", text: "" }] };
    expect(otherIds(health({ last_run: { ...run, ok: false } }))).toBe(true);
    expect(otherIds(health({ state: "ok", last_run: { ...run, ok: true } }))).toBe(false);
  });

  it("needs a complete reading and somebody with another id", () => {
    const r: Relinking = { read: 2, known: 2, same: 1, linked: 1, by: {}, pairs: [], unsure: [], ambiguous: 0, new: 0, missing: 0, units: 0, groups: 0, complete: true, why: [], hash: "h" };
    expect(canLink(r)).toBe(true);
    expect(canLink({ ...r, complete: false })).toBe(false);
    expect(canLink({ ...r, linked: 0 })).toBe(false);
    expect(canLink({ ...r, linked: 0, units: 1 })).toBe(true);
  });
});
