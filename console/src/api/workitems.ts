import type { Freeze, PersonRow, SourceRecord } from "./people";
import { call, list, path } from "./client";

export type Ref = { id: string; display_name?: string };
export type SourceRef = { id: string; name?: string; kind?: string };

export type WorkItem = {
  id: string;
  kind: string;
  hint: string;
  hints: string[];
  source?: SourceRef | null;
  state: string;
  newer: Ref;
  older: Ref;
  kept?: string;
  quarantined?: string[];
  created_at?: string;
  closed_at?: string;
  closed_by?: string;
};

export type Saying = { value: string; sources: string[] };
export type Compared = { name: string; same: boolean; newer: Saying[]; older: Saying[] };
export type Side = PersonRow & { created_at?: string; employee_number?: string; freezes: Freeze[]; records: SourceRecord[] };
export type WorkItemDetail = WorkItem & { newer_person: Side; older_person: Side; comparison: Compared[]; warnings: string[] };

export type MembershipChange = { person: string; group: string; op: string; role: string; from_role?: string; cause: string; reasons: string[] };
export type Joining = {
  dry_run: boolean;
  kept: Ref;
  other: Ref;
  records: SourceRecord[];
  fields: { name: string; before: unknown; now: unknown }[];
  freezes: Freeze[];
  other_freezes?: Freeze[];
  memberships: MembershipChange[];
};

export type Groups = { open: number; groups: { source?: SourceRef | null; kind: string; hint: string; count: number }[] };
export type Bulk = { dry_run: boolean; before: string; linked: number; skipped: Record<string, number>; sample: WorkItem[]; next?: string };
export type BulkQuery = { source: string; hint: string; dry_run?: boolean; before?: string; cursor?: string };

export const workItems = (query: { state?: string; person?: string; limit?: number; cursor?: string }, signal?: AbortSignal) => list<WorkItem>("/work-items", { query, signal });
export const workItemGroups = (signal?: AbortSignal) => call<Groups>("GET", "/work-items/groups", { signal });
export const workItem = (id: string, signal?: AbortSignal) => call<WorkItemDetail>("GET", path`/work-items/${id}`, { signal });
export const link = (id: string, keep: string, dry: boolean, signal?: AbortSignal) => call<Joining>("POST", path`/work-items/${id}/link`, { body: { keep, dry_run: dry }, signal });
export const separate = (id: string) => call<WorkItem>("POST", path`/work-items/${id}/separate`, { body: {} });
export const split = (person: string, record: string, dry: boolean, signal?: AbortSignal) => call<Joining>("POST", path`/people/${person}/records/${record}/split`, { body: { dry_run: dry }, signal });
export const linkMany = (body: BulkQuery) => call<Bulk>("POST", "/work-items/link", { body });

/** byMany tells whether pairs of this hint can be linked in bulk. */
export const byMany = (hint: string) => hint === "email" || hint === "employee_number";
