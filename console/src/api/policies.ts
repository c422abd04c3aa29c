import { call, list, path } from "./client";

/** A policy's text: one file, or several by name. */
export type PolicySource = string | Record<string, string> | { name?: string; source?: string; text?: string }[];

export type PolicyVersion = { version: number; author?: string; author_name?: string; at?: string; hash?: string; in_force?: boolean; source?: PolicySource };

export type PlanChange = {
  person?: { id: string; display_name?: string } | string;
  person_name?: string;
  group?: { id?: string; key?: string; name?: Record<string, string> | string } | string;
  role?: string;
  from_role?: string;
  op?: string;
  cause?: string;
  reasons?: string[];
};

export type ShapeChange = { op?: string; group?: string; channel?: string; fields?: string[] };

export type Verdict = string | { held?: boolean; reason?: string; reasons?: string[]; text?: string };

export type Plan = {
  id: string;
  hash: string;
  empty?: boolean;
  summary?: { people?: number; added?: number; removed?: number; changed?: number; groups?: number; channels?: number };
  shapes?: ShapeChange[];
  changes?: PlanChange[];
  verdict?: Verdict;
};

/** fileName is what the server calls the text that is pasted here, in its messages about mistakes. */
export const fileName = "policy.yaml";

export const policies = (signal?: AbortSignal) => list<PolicyVersion>("/policies", { query: { limit: 50 }, signal });
export const policy = (version: number, signal?: AbortSignal) => call<PolicyVersion>("GET", path`/policies/${version}`, { signal });
export const makePlan = (source: string) => call<Plan>("POST", "/plans", { body: { files: [{ name: fileName, source }] } });
export const applyPlan = (id: string, hash: string, confirm: boolean) => call<unknown>("POST", path`/plans/${id}/apply`, { body: { hash, confirm } });

/** sourceText answers the text of a version, its files one after the other; undefined where it was not sent. */
export function sourceText(source: PolicySource | undefined): string | undefined {
  if (source === undefined || source === null) return undefined;
  if (typeof source === "string") return source;
  if (Array.isArray(source)) return source.map((f) => f.source ?? f.text ?? "").join("\n---\n");
  return Object.values(source).join("\n---\n");
}

/** isHeld tells whether the guard would hold the plan, whatever shape the verdict has. */
export function isHeld(verdict: Verdict | undefined): boolean {
  if (!verdict) return false;
  return typeof verdict === "string" ? verdict === "held" || verdict === "hold" : verdict.held === true;
}

/** verdictReasons answers why, in the server's words. */
export function verdictReasons(verdict: Verdict | undefined): string[] {
  if (!verdict || typeof verdict === "string") return [];
  return [...(verdict.reasons ?? []), verdict.reason ?? "", verdict.text ?? ""].filter(Boolean);
}

/** tally counts a plan's changes by what they do to people. */
export function tally(plan: Plan): { added: number; removed: number; changed: number } {
  const { summary } = plan;
  if (summary?.added !== undefined) return { added: summary.added, removed: summary.removed ?? 0, changed: summary.changed ?? 0 };
  const counts = { added: 0, removed: 0, changed: 0 };
  for (const c of plan.changes ?? []) {
    if (c.op === "add" || c.op === "added") counts.added++;
    else if (c.op === "remove" || c.op === "removed" || c.op === "delete") counts.removed++;
    else counts.changed++;
  }
  return counts;
}
