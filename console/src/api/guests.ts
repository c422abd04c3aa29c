import type { Names } from "../i18n/types";
import { call, everything, list, path } from "./client";
import type { Called } from "./inbox";

export type Company = { id: string; key: string; names: Names; domains: string[]; owner: string; owner_name: string; documents: string[]; most: number; ends_at?: string; suspended_at?: string; created_at: string; shortened?: number };
export type CompanyBody = { key?: string; names?: Names; domains?: string[]; owner?: string; documents?: string[]; most?: number; ends_at?: string; endless?: boolean };

export type Bound = "asked" | "policy" | "contract" | "approval";
export type GuestState = "waiting" | "running" | "suspended" | "over";
export type GuestPlace = { group: string; channel: string; until: string };
export type Guest = {
  id: string;
  company: string;
  name: string;
  email: string;
  person?: string;
  sponsor: string;
  sponsor_name: string;
  state: GuestState;
  until?: string;
  days_left: number;
  created_at: string;
  places: GuestPlace[];
  /** In the answer to an invitation. */
  bound_by?: Bound;
  waiting?: boolean;
};

/** GuestLink is a link by which a guest came in or can. */
export type GuestLink = { id: string; way: "mail" | "copied" | "sign_in"; made_at: string; until: string; sent_at?: string; failed?: string; used_at?: string; ended_at?: string };

export type Invitation = { id: string; group: string; channels: string[]; sponsor: string; asked_by: string; reason: string; asked_until: string; until: string; bound_by: Bound; state: "waiting" | "granted" | "withdrawn"; asked_at: string; decided_at?: string };
/** links is absent where guests sign in as everybody does. */
export type GuestPage = Guest & { invitations: Invitation[]; links?: GuestLink[]; names: Called };
export type Waiting = Invitation & { guest: string; name: string; email: string; company: string };

export type Door = { group: string; key: string; names: Names; channels: { id: string; key: string; names: Names }[] };
export type Doors = { groups: Door[]; companies: { key: string; names: Names; domains: string[]; ends_at?: string }[]; most_days: number };
export type Summary = { closed_at?: string; waiting: number; companies: { company: string; guests: number; within_7: number; within_30: number }[] };

export type Invite = { company: string; email: string; name: string; group: string; channels: string[]; until: string; reason: string; sponsor?: string };

export type BatchRow = { line?: number; op: "invite" | "extend" | "end" | "same" | "refused"; guest?: string; name: string; email: string; company: string; group: string; channels: string[]; from?: string; until?: string; bound_by?: Bound; waiting?: boolean; code?: string; problem?: string };
/** Batch is what a call does about many guests, or would; at and basis say what was shown. */
export type Batch = { at: string; basis: string; rows: BatchRow[] };
export type Shown = { at: string; basis: string };
export type Bulk = { action: "extend" | "end"; guests: string[]; until?: string; reason: string };

const guestsRoot = (mine: boolean) => (mine ? "/me/guests" : "/guests");

export const companies = (signal?: AbortSignal) => call<{ items: Company[]; closed_at?: string }>("GET", "/companies", { signal });
export const company = (key: string, signal?: AbortSignal) => call<Company>("GET", path`/companies/${key}`, { signal });
export const addCompany = (body: CompanyBody) => call<Company>("POST", "/companies", { body });
export const changeCompany = (key: string, body: CompanyBody) => call<Company>("PATCH", path`/companies/${key}`, { body });
export const suspendCompany = (key: string, what: "suspend" | "resume", reason: string) => call<{ guests: number }>("POST", `${path`/companies/${key}`}/${what}`, { body: { reason } });

export const guests = (query: { company?: string; within_days?: number; limit?: number; cursor?: string }, signal?: AbortSignal) => list<Guest>("/guests", { query, signal });
export const summary = (signal?: AbortSignal) => call<Summary>("GET", "/guests/summary", { signal });
export const waiting = (signal?: AbortSignal) => call<{ items: Waiting[]; names: Called }>("GET", "/guests/waiting", { signal });
export const closeAll = (what: "close" | "open", reason: string) => call<{ guests: number }>("POST", `/guests/${what}`, { body: { reason } });

/** What follows is for administrators, or of one's own guests. */
export const doors = (mine: boolean, signal?: AbortSignal) => call<Doors>("GET", `${guestsRoot(mine)}/doors`, { signal });
export const guest = (mine: boolean, id: string, signal?: AbortSignal) => call<GuestPage>("GET", guestsRoot(mine) + path`/${id}`, { signal });
export const invite = (mine: boolean, body: Invite) => call<Guest>("POST", guestsRoot(mine), { body });
export const renew = (mine: boolean, id: string, body: { until: string; reason: string; sponsor?: string }) => call<Guest>("POST", guestsRoot(mine) + path`/${id}/renew`, { body });
export const end = (mine: boolean, id: string, reason: string) => call<Guest>("POST", guestsRoot(mine) + path`/${id}/end`, { body: { reason } });
export const makeLink = (mine: boolean, id: string) => call<{ url: string; until: string }>("POST", guestsRoot(mine) + path`/${id}/link`);
export const sendLink = (mine: boolean, id: string) => call<unknown>("POST", guestsRoot(mine) + path`/${id}/mail`);
export const confirmCode = (mine: boolean, id: string, code: string) => call<unknown>("POST", guestsRoot(mine) + path`/${id}/confirm`, { body: { code } });
export const suspend = (id: string, what: "suspend" | "resume", reason: string) => call<Guest>("POST", `${path`/guests/${id}`}/${what}`, { body: { reason } });
export const importFile = (mine: boolean, file: string, shown?: Shown) => call<Batch>("POST", `${guestsRoot(mine)}/import${shown ? "" : "/preview"}`, { body: { file, ...shown } });

export const myGuests = (signal?: AbortSignal) => everything<Guest>("/me/guests", { signal });
export const inProject = (group: string, signal?: AbortSignal) => everything<Guest>(path`/me/groups/${group}/guests`, { signal });
export const bulk = (group: string, body: Bulk, shown?: Shown) => call<Batch>("POST", `${path`/me/groups/${group}/guests`}/${shown ? "apply" : "preview"}`, { body: { ...body, ...shown } });

/** Toll is what closing a project group would end, or what opening it again would give. */
export type Toll = { plan: string; basis: string; group: string; key: string; names: Names; people: number; channels: string[]; guests: { id: string; name: string; company: string; stays: boolean }[]; waiting: number; approval: boolean };
export type ClosedProject = { id: string; group: string; key: string; names: Names; at: string; until: string };
export const closings = (signal?: AbortSignal) => call<{ items: ClosedProject[] }>("GET", "/me/closings", { signal });
export const lookClosing = (group: string, body: { open: boolean; reason: string }) => call<Toll>("POST", `${path`/me/groups/${group}/closing`}/preview`, { body });
export const setClosed = (group: string, body: { open: boolean; reason: string; plan: string; basis: string }) => call<ClosedProject>("POST", path`/me/groups/${group}/closing`, { body });
/** archiveOf is where the archive of a closed project group is fetched. */
export const archiveOf = (closing: string) => `/api/v1${path`/me/closings/${closing}`}/archive`;
