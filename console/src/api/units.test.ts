import { describe, expect, it } from "vitest";
import { byDeclaration, csvOf, type Succession } from "./units";

describe("units", () => {
  it("writes the file that declares successions", () => {
    expect(csvOf([])).toBe("kind,old,new\n");
    expect(csvOf([{ kind: "split", old: "D1", new: "D2" }, { kind: "merge", old: 'a,"b"', new: "#x" }])).toBe('kind,old,new\nsplit,D1,D2\nmerge,"a,""b""","#x"\n');
  });
  it("puts together what was declared at once", () => {
    const one = (id: string, old: string): Succession => ({ id, old, source: "hr", kind: "merge", old_name: "", new: "Z", effective_at: "", in_force: false, created_at: "", actor: "" });
    expect(byDeclaration([one("a", "1"), one("b", "2"), one("a", "3")]).map((d) => d.map((s) => s.old))).toEqual([["1", "3"], ["2"]]);
  });
});
