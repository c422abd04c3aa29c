import { describe, expect, it } from "vitest";
import { curlOf, endsSoon, isLive, pretty, rotation, type SeenWhole, type Token } from "./sources";

const now = Date.parse("2026-03-10T12:00:00Z");
const token = (id: string, created: string, more: Partial<Token> = {}): Token => ({ id, created_at: created, ...more });

describe("tokens", () => {
  it("are live until they are revoked or over", () => {
    expect(isLive(token("a", "2026-01-01T00:00:00Z"), now)).toBe(true);
    expect(isLive(token("a", "2026-01-01T00:00:00Z", { revoked_at: "2026-02-01T00:00:00Z" }), now)).toBe(false);
    expect(isLive(token("a", "2026-01-01T00:00:00Z", { expires_at: "2026-03-10T12:00:00Z" }), now)).toBe(false);
    expect(isLive(token("a", "2026-01-01T00:00:00Z", { expires_at: "0001-01-01T00:00:00Z" }), now)).toBe(true);
  });

  it("that end soon say in how many days", () => {
    expect(endsSoon(token("a", "", { expires_at: "2026-03-12T13:00:00Z" }), now)).toBe(2);
    expect(endsSoon(token("a", "", { expires_at: "2026-06-12T13:00:00Z" }), now)).toBeUndefined();
    expect(endsSoon(token("a", "", { expires_at: "2026-03-01T13:00:00Z" }), now)).toBeUndefined();
    expect(endsSoon(token("a", ""), now)).toBeUndefined();
  });

  it("are changed step by step", () => {
    const old = token("old", "2026-01-01T00:00:00Z", { last_used_at: "2026-03-10T11:00:00Z" });
    const gone = token("gone", "2025-01-01T00:00:00Z", { revoked_at: "2025-06-01T00:00:00Z" });
    expect(rotation([gone], now).step).toBe("none");
    expect(rotation([gone, old], now)).toEqual({ step: "one", older: old });
    const fresh = token("new", "2026-03-10T10:00:00Z");
    expect(rotation([fresh, old], now)).toEqual({ step: "move", older: old, newer: fresh });
    const early = { ...fresh, last_used_at: "2026-03-10T10:30:00Z" };
    expect(rotation([early, old], now).step).toBe("move"); // the old one was used after it
    const used = { ...fresh, last_used_at: "2026-03-10T11:30:00Z" };
    expect(rotation([used, old], now)).toEqual({ step: "retire", older: old, newer: used });
  });
});

describe("requests", () => {
  const one: SeenWhole = {
    id: "req_1", at: "", method: "POST", path: "/scim/v2/Users", query: "a=1", status: 201, failed: false, ms: 1,
    request_body: { text: `{"name":"O'Neil"}`, bytes: 1 }, answer_body: { text: "", bytes: 0 },
  };

  it("become a command line without a token", () => {
    expect(curlOf(one, "http://127.0.0.1:8480/scim/v2")).toBe(
      `curl -i \\\n  -X POST \\\n  'http://127.0.0.1:8480/scim/v2/Users?a=1' \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/scim+json' \\\n  --data '{"name":"O'\\''Neil"}'`,
    );
    expect(curlOf({ ...one, method: "GET", query: "", request_body: { text: "", bytes: 0 } }, "http://127.0.0.1:8480/scim/v2")).not.toContain("--data");
  });

  it("are shown with line breaks where they are whole", () => {
    expect(pretty(`{"a":1}`)).toBe(`{\n  "a": 1\n}`);
    expect(pretty(`{"a":`)).toBe(`{"a":`);
  });
});
