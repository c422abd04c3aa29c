import { call, list, path } from "./client";

export type Erasing = {
  state: "possible" | "waiting" | "erased";
  request?: { id: string; asked_by: string; asked_at: string; lapses_at: string; done_at?: string };
  erases: Record<string, number>;
};

export type LegalHold = { id: string; person: string; reason: string; since: string; lift_by?: string };

export const erasing = (id: string, signal?: AbortSignal) => call<Erasing>("GET", path`/people/${id}/erasure`, { signal });
export const askErasure = (id: string) => call<Erasing>("POST", path`/people/${id}/erasure`, { body: {} });
export const withdrawErasure = (id: string) => call<unknown>("DELETE", path`/people/${id}/erasure`);
export const confirmErasure = (id: string) => call<Erasing>("POST", path`/people/${id}/erasure/confirm`, { body: {} });
export const legalHolds = (id: string, signal?: AbortSignal) => list<LegalHold>("/legal-holds", { query: { person: id }, signal });
export const setLegalHold = (id: string, reason: string) => call<unknown>("PUT", path`/people/${id}/legal-hold`, { body: { reason } });
export const liftLegalHold = (id: string) => call<unknown>("DELETE", path`/people/${id}/legal-hold`);
