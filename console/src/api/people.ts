import type { Names } from "../i18n/types";
import { call, everything, list, path } from "./client";
import type { Restored } from "./holds";

export type Status = "pending" | "active" | "leave" | "notice" | "terminated" | "anonymised";

export type PersonRow = {
  id: string;
  display_name?: string;
  user_name?: string;
  email?: string;
  title?: string;
  department?: string;
  unit?: { id: string; name?: string; names?: Names } | null;
  status?: string;
  frozen?: boolean;
  absent?: boolean;
  manager?: { id: string; display_name?: string } | null;
};

export type Affiliation = {
  id: string;
  kind?: string;
  unit?: { id: string; name?: string; names?: Names } | null;
  start_at?: string;
  end_at?: string;
  active?: boolean;
};

export type Freeze = {
  id: string;
  slot?: string;
  cause?: string;
  source?: { id: string; name?: string } | string | null;
  from?: string;
  until?: string;
  open?: boolean;
  veto?: boolean;
  reason?: string;
  actor?: string;
  undone?: boolean;
  contested?: { source?: { id: string; name?: string }; sources?: { id: string; name?: string }[]; since: string };
  created_at?: string;
  lifted_at?: string;
};

export type Change = { name: string; before?: unknown; now?: unknown };

/** Ahead is what holds of a person from a known instant on. */
export type Ahead = { at: string; status?: string; frozen?: boolean; changes: Change[] };

export type SourceRecord = {
  link: string;
  source?: { id: string; name?: string; kind?: string } | null;
  key?: string;
  external_id?: string;
  user_name?: string;
  display_name?: string;
  email?: string;
  active?: boolean;
  absent_since?: string;
  deleted_at?: string;
  updated_at?: string;
};

/** Origin names the record whose word about an attribute counts. */
export type Origin = { link: string; source: { id: string; name?: string; kind?: string }; authority: boolean };

export type Person = PersonRow & {
  origins?: Record<string, Origin>;
  given_name?: string;
  family_name?: string;
  employee_number?: string;
  employee_type?: string;
  cost_center?: string;
  division?: string;
  organization?: string;
  company?: string;
  locale?: string;
  time_zone?: string;
  phones?: { value: string; type?: string }[];
  labels?: Record<string, string>;
  groups?: string[];
  merged_into?: string;
  rehired_at?: string;
  absent_since?: string;
  ahead?: Ahead[];
  affiliations?: Affiliation[];
  freezes?: Freeze[];
  records?: SourceRecord[];
  created_at?: string;
  updated_at?: string;
};

export type Reason = {
  kind?: string;
  ref?: string;
  policy_version?: number;
  from?: string;
  until?: string;
  text?: Names | string;
};

export type Membership = {
  id: string;
  person?: { id: string; display_name?: string } | string;
  group?: { id: string; key?: string; name?: Names | string } | null;
  role?: string;
  since?: string;
  begins?: string;
  ends?: string;
  suspended?: boolean;
  held?: boolean;
  held_by?: { hold: string; cause: string; since: string };
  reasons?: Reason[];
  channels?: { id: string; key?: string; name?: Names | string }[];
};

export type FormerGrant = { group: { id: string; key?: string; name?: Names | string }; role?: string; kind?: string; ended_at?: string; present?: boolean };

/** Unjudged is what of the policy in force could not be judged for somebody, and gives them nothing. */
export type Unjudged = { person: { id: string; display_name?: string }; rules: string[]; since?: string; error?: string };

export type Unit = { id: string; source?: string; key?: string; name?: string; names?: Names; parent?: string | null };

export type PeopleQuery = { q?: string; status?: string; frozen?: string; contested?: "true"; unit?: string; limit?: number; cursor?: string };

export const people = (query: PeopleQuery, signal?: AbortSignal) => list<PersonRow>("/people", { query, signal });
export const person = (id: string, signal?: AbortSignal) => call<Person>("GET", path`/people/${id}`, { signal });
export const membershipsOf = (id: string, signal?: AbortSignal) => everything<Membership>(path`/people/${id}/memberships`, { signal });
export const formerGrants = (id: string, signal?: AbortSignal) => list<FormerGrant>(path`/people/${id}/former-grants`, { query: { limit: 200 }, signal });
export const unjudgedOf = (id: string, signal?: AbortSignal) => list<Unjudged>(path`/people/${id}/unjudged`, { signal });
export const unjudged = (signal?: AbortSignal) => list<Unjudged>("/unjudged", { query: { limit: 200 }, signal });
export const freeze = (id: string, reason: string, veto: boolean) => call<unknown>("POST", path`/people/${id}/freeze`, { body: { reason, veto } });
export const unfreeze = (id: string, freezeID: string) => call<unknown>("POST", path`/people/${id}/unfreeze`, { body: { freeze: freezeID } });
export const unlockPassword = (id: string) => call<{ cleared: number }>("POST", path`/people/${id}/unlock`, { body: {} });
export const restorePerson = (id: string, freezeID: string, reason: string) => call<Restored>("POST", path`/people/${id}/restore`, { body: { freeze: freezeID, reason } });
export const units = (signal?: AbortSignal) => list<Unit>("/units", { signal }); // never paged

/** severalSources tells whether more than one source speaks of a person. */
export const severalSources = (p: Person): boolean => new Set((p.records ?? []).map((r) => r.source?.id)).size > 1;
