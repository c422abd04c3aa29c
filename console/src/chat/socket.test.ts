import { describe, expect, it } from "vitest";
import { backoff, readFrame } from "./socket";

describe("the wait between tries", () => {
  it("grows, is bounded and is scattered", () => {
    expect([0, 1, 2, 3].map((n) => backoff(n, 1))).toEqual([500, 1000, 2000, 4000]);
    expect(backoff(50, 1)).toBe(30_000);
    expect(backoff(50, 0)).toBe(15_000);
  });
});

describe("a frame", () => {
  it("is an object with an op", () => {
    expect(readFrame('{"op":"event","seq":1}')).toEqual({ op: "event", seq: 1 });
    for (const bad of ["", "null", "[]", "1", '{"seq":1}', '{"op":3}', "{", new Blob()]) expect(readFrame(bad)).toBeNull();
  });
});
