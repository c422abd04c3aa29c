import { call, list, path } from "./client";

/** A policy's text: one file, or several by name. */
export type PolicySource = string | Record<string, string> | { name?: string; source?: string; text?: string }[];

export type PolicyVersion = { version: number; author?: string; author_name?: string; at?: string; hash?: string; in_force?: boolean; reason?: string; back_to?: number; source?: PolicySource };

export type PlanChange = {
  person?: { id: string; display_name?: string } | string;
  person_name?: string;
  group?: { id?: string; key?: string; name?: Record<string, string> | string } | string;
  role?: string;
  from_role?: string;
  op?: string;
  cause?: string;
  ground?: string;
  reasons?: string[];
  gains?: string[];
  loses?: string[];
  raised?: string[];
  lowered?: string[];
  later?: boolean;
  at?: string;
};

/** Tally counts what a plan does to one group, or by one ground. */
export type Tally = { name: string; people: number; added: number; removed: number; changed: number };

export type Schedule = { at: string; by: string; state: "waiting" | "applied" | "refused" | "cancelled"; ended_at?: string; problem?: string };

/** Conflict is a place that separation keeps from somebody. */
export type Conflict = { person: string; person_name?: string; group: string; role: string; rule?: string; separation: string; against?: string[]; held?: boolean; unjudged?: boolean };

/** Unknown is something that a policy names and no directory knew when it was planned. */
export type Unknown = { kind: "unit" | "group" | "person" | "approver" | "successor"; name: string; did_you_mean?: string; file: string; line: number; column: number };

export type FourEyes = { needed: boolean; people?: number; limit?: number; losing?: number; loosens?: string[]; gives?: string[]; author_gone?: boolean; given: { approver: string; at: string; lapsed?: boolean }[] };

/** UnitsPlan is what a plan says of units, where it is about them and not about the policy. */
export type UnitsPlan = { withdraw: boolean; effective_at: string; items: { kind: "renumber" | "split" | "merge"; old: string; new: string }[] };

/** agreed tells whether nobody else has to look at a plan any more. */
export const agreed = (plan: Plan): boolean => plan.four_eyes?.needed !== true || (plan.four_eyes.author_gone !== true && (plan.four_eyes.given ?? []).filter((g) => !g.lapsed).length >= (plan.four_eyes.people ?? 1));

export type ShapeChange = { op?: string; group?: string; channel?: string; fields?: string[] };

/** Breach is one limit of the guard that a plan would go over; group: it would be empty. */
export type Breach = { cause?: string; group?: string; people: number; limit?: number };

export type Verdict = string | { held?: boolean; reason?: string; reasons?: string[]; text?: string; breaches?: Breach[] };

export type Plan = {
  id: string;
  hash: string;
  empty?: boolean;
  state?: "open" | "applied";
  author?: string;
  created_at?: string;
  applied_at?: string;
  total?: number;
  groups?: Tally[];
  grounds?: Tally[];
  next?: string;
  units?: UnitsPlan;
  four_eyes?: FourEyes;
  schedule?: Schedule;
  conflicts?: Conflict[];
  unknown?: Unknown[];
  summary?: { people?: number; losing?: number; lowered?: number; added?: number; removed?: number; changed?: number; groups?: number; channels?: number };
  shapes?: ShapeChange[];
  differences?: Difference[];
  changes?: PlanChange[];
  verdict?: Verdict;
};

/** PlanItem is a plan in a list. */
export type PlanItem = { id: string; hash: string; state: string; author: string; created_at: string; held?: boolean; units?: boolean; summary: { people?: number; losing?: number; added?: number; removed?: number; changed?: number }; schedule?: Schedule };

export type PlanQuery = { group?: string; op?: string; ground?: string; limit?: number; cursor?: string };

/** Difference is one thing that two versions say otherwise. */
export type Difference = { op: "add" | "change" | "remove"; kind: string; name: string; fields: { field: string; before?: unknown; after?: unknown; effect?: "loosens" | "tightens" | "both" }[] };

/** fileName is what the server calls the text that is pasted here, in its messages about mistakes. */
export const fileName = "policy.yaml";

export const policies = (signal?: AbortSignal) => list<PolicyVersion>("/policies", { query: { limit: 50 }, signal });
export const policy = (version: number, signal?: AbortSignal) => call<PolicyVersion>("GET", path`/policies/${version}`, { signal });
export const makePlan = ({ source, reason }: { source: string; reason?: string }) => call<Plan>("POST", "/plans", { body: { files: [{ name: fileName, source }], reason: reason || undefined } });
export const planBack = (version: number, reason: string) => call<Plan>("POST", "/plans", { body: { version, reason: reason || undefined } });
export const plan = (id: string, query: PlanQuery = {}, signal?: AbortSignal) => call<Plan>("GET", path`/plans/${id}`, { query, signal });
export const plans = (state: "open" | "waiting" | "applied", signal?: AbortSignal) => list<PlanItem>("/plans", { query: { state, limit: 20 }, signal });
export const approvePlan = (id: string, hash: string) => call<unknown>("POST", path`/plans/${id}/approve`, { body: { hash } });
export const schedulePlan = (id: string, hash: string, at: string, confirm: boolean) => call<unknown>("PUT", path`/plans/${id}/schedule`, { body: { hash, at, confirm } });
export const unschedulePlan = (id: string) => call<unknown>("DELETE", path`/plans/${id}/schedule`);
export const diff = (version: number, from: number, signal?: AbortSignal) => list<Difference>(path`/policies/${version}/diff`, { query: { from }, signal });
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
