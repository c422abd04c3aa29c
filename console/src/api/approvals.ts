import type { Names } from "../i18n/types";
import { call, path } from "./client";
import type { Called } from "./inbox";

export type RequestState = "waiting" | "granted" | "refused" | "withdrawn" | "lapsed";

export type Decision = { approver: string; agrees: boolean; comment?: string; at: string };

/** Asked is something that somebody asked for. */
export type Asked = {
  id: string;
  kind: string;
  requester: string;
  subject: string;
  object: string;
  role?: string;
  days?: number;
  minutes?: number;
  asked_until?: string;
  reason: string;
  state: RequestState;
  asked_at: string;
  lapses_at: string;
  decided_at?: string;
  until?: string;
  decisions: Decision[];
  lacking?: number;
  obstacle?: string;
};

export type AskedPage = { items: Asked[]; next?: string; names: Called };

/** Place is a project group about which the reader may do something. */
export type Place = { id: string; key: string; names: Names; description?: Names; role?: string; has?: string; may: ("join" | "ask" | "leave" | "elevate")[]; apart?: boolean };

/** NewRequest is what somebody asks for. */
export type NewRequest = { kind: "join" | "elevation" | "plan" | "release" | "retention"; object: string; role?: string; days?: number; reason: string };

export const myPlaces = (signal?: AbortSignal) => call<{ items: Place[] }>("GET", "/me/groups", { signal });
export const join = (group: string) => call<unknown>("POST", path`/me/groups/${group}/join`);
export const leave = (group: string) => call<unknown>("POST", path`/me/groups/${group}/leave`);

export const myRequests = (cursor: string, signal?: AbortSignal) => call<AskedPage>("GET", "/me/requests", { query: { limit: 50, cursor }, signal });
export const ask = (what: NewRequest) => call<Asked>("POST", "/me/requests", { body: what });
export const withdraw = (id: string) => call<unknown>("POST", path`/me/requests/${id}/withdraw`);

export const forMe = (signal?: AbortSignal) => call<AskedPage>("GET", "/me/approvals", { signal });
/** say decides a request. What administrators ask each other about may want a second factor. */
export const say = (asked: Asked, what: "approve" | "refuse", comment: string) => call<unknown>("POST", `${path`/me/approvals/${asked.id}`}/${what}`, { body: comment ? { comment } : {} });

export const everyRequest = (query: { state?: RequestState; cursor?: string }, signal?: AbortSignal) => call<AskedPage>("GET", "/approvals", { query: { limit: 50, ...query }, signal });
