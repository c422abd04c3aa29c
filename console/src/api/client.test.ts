import { afterEach, describe, expect, it, vi } from "vitest";
import { endingOf, local, signInURL } from "../session/rules";
import { call, everything, list, onEnded, path, Problem } from "./client";
import { isHeld, sourceText, tally } from "./policies";
import { heardAt } from "./sources";

const answer = (status: number, body: unknown, type = "application/json") => new Response(body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body), { status, headers: { "Content-Type": type } });
const server = (...answers: Response[]) => {
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(answers.shift() ?? answer(500, "")));
  vi.stubGlobal("fetch", fetched);
  return fetched;
};
afterEach(() => vi.unstubAllGlobals());

describe("a call", () => {
  it("escapes what stands in a path and leaves out empty parameters", async () => {
    const fetched = server(answer(200, {}));
    await call("GET", path`/people/${"a/b?c"}`, { query: { q: "李 & Co", status: "", unit: undefined } });
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/people/a%2Fb%3Fc?q=%E6%9D%8E+%26+Co");
  });

  it("turns a problem into an error with the server's detail", async () => {
    server(answer(422, { code: "policy_invalid", detail: "policy.yaml:3:5: unknown key", problems: ["policy.yaml:3:5"], request_id: "req_1" }, "application/problem+json"));
    const error = await call("POST", "/plans", { body: {} }).catch((e: unknown) => e);
    expect(error).toMatchObject({ status: 422, code: "policy_invalid", detail: "policy.yaml:3:5: unknown key", problems: ["policy.yaml:3:5"], request: "req_1" });
  });

  it("copes with a proxy's page, with no answer and with what is no JSON", async () => {
    server(answer(502, "<html>", "text/html"));
    await expect(call("GET", "/me")).rejects.toMatchObject({ status: 502, code: "http_502" });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    await expect(call("GET", "/me")).rejects.toMatchObject({ status: 0, code: "offline" });
    server(answer(200, "<html>", "text/html"));
    await expect(call("GET", "/me")).rejects.toMatchObject({ code: "unreadable" });
  });

  it("tells of the end of a session, unless it was asked in order to find out", async () => {
    const heard: Problem[] = [];
    const stop = onEnded((p) => heard.push(p));
    server(answer(401, { code: "person_frozen" }), answer(401, { code: "person_frozen" }));
    await call("GET", "/channels").catch(() => {});
    await call("GET", "/me", { quiet: true }).catch(() => {});
    stop();
    expect(heard.map((p) => p.code)).toEqual(["person_frozen"]);
  });
});

describe("a list", () => {
  it("is read to its end", async () => {
    const fetched = server(answer(200, { items: [1, 2], next: "x" }), answer(200, { items: [3] }));
    expect(await everything<number>("/groups")).toEqual({ items: [1, 2, 3], next: undefined });
    expect(fetched.mock.calls[1]?.[0]).toBe("/api/v1/groups?limit=200&cursor=x");
  });

  it("is empty where the server sends none", async () => {
    server(answer(200, { items: null }), answer(200, [1]));
    expect((await list("/a")).items).toEqual([]);
    expect((await list("/a")).items).toEqual([1]);
  });
});

describe("signing in", () => {
  it("leads back to this site only", () => {
    for (const bad of ["//evil.example", "/\\evil.example", "https:evil", "javascript:alert(1)", "", null, "/signin?return=/x"]) expect(local(bad)).toBe("/");
    expect(signInURL("/chat/chn_1?a=b")).toBe("/auth/login?return_to=%2Fchat%2Fchn_1%3Fa%3Db");
  });

  it("says how a session came to its end", () => {
    expect(endingOf(new Problem(401, "person_frozen", ""), false)).toBe("access");
    expect(endingOf(new Problem(401, "session_ended", ""), true)).toBe("expired");
    expect(endingOf(new Problem(401, "unauthenticated", ""), true)).toBe("access");
  });
});

describe("answers in more than one shape", () => {
  it("of policies", () => {
    expect(sourceText([{ name: "a", source: "x" }, { name: "b", source: "y" }])).toBe("x\n---\ny");
    expect(sourceText(undefined)).toBeUndefined();
    expect([isHeld({ held: true }), isHeld("held"), isHeld({ held: false }), isHeld(undefined)]).toEqual([true, true, false, false]);
    expect(tally({ id: "", hash: "", changes: [{ op: "add" }, { op: "remove" }, { op: "role" }] })).toEqual({ added: 1, removed: 1, changed: 1 });
    expect(tally({ id: "", hash: "", summary: { added: 5000, removed: 1, changed: 0 }, changes: [] })).toMatchObject({ added: 5000 });
  });

  it("of sources", () => {
    expect(heardAt({ id: "s", synced_at: "2026-01-01T00:00:00Z", tokens: [{ id: "t", last_used_at: "2026-02-01T00:00:00Z" }, { id: "u", last_used_at: "0001-01-01T00:00:00Z" }] })).toBe("2026-02-01T00:00:00Z");
    expect(heardAt({ id: "s" })).toBeUndefined();
  });
});
