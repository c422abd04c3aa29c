import type { Called } from "./inbox";
import { call, path } from "./client";

export type Review = { id: string; about: "group" | "channel" | "reason" | "outside"; ref?: string; reviewer: string; silence: "remove" | "keep"; created_at: string; until: string; ends_at: string; closed_at?: string };

/** Line is one place under review. */
export type Line = { review: string; membership: string; person: string; name: string; group: string; role: string; since: string; reasons: string[]; decision?: "keep" | "remove"; why?: string };

export type Mine = { reviews: Review[]; lines: Line[]; names: Called };

export const myReviews = (signal?: AbortSignal) => call<Mine>("GET", "/me/reviews", { signal });
export const decide = (review: string, membership: string, decision: "keep" | "remove", why: string) =>
  call<unknown>("POST", path`/me/reviews/${review}/decide`, { body: { answers: [{ membership, decision, ...(why && { why }) }] } });
export const reviews = (signal?: AbortSignal) => call<{ items: Review[] }>("GET", "/reviews", { signal });

/** documentURL is where a document of evidence is; the browser saves or shows it. */
export const documentURL = (target: string, query: Record<string, string>) => `/api/v1${target}?${new URLSearchParams(query)}`;
