import type { Called } from "./inbox";
import { call, path } from "./client";
import type { Reason } from "./people";

export type About = "group" | "channel" | "reason" | "outside";
export type Decision = "keep" | "remove";
export type Review = { id: string; about: About; ref?: string; reviewer: "owner" | "manager" | "person"; named?: string; silence: Decision; made_by: string; created_at: string; until: string; ends_at: string; closed_at?: string };

/** Ground is one reason of a place, as it was when the review began. */
export type Ground = Reason & { since: string };

/** Line is one place under review. on_silence: what becomes of it when nobody answers; finding: a rule gives it, so that nothing takes it. */
export type Line = {
  review: string;
  membership: string;
  person: string;
  name: string;
  group: string;
  role: string;
  since: string;
  reasons: string[];
  grounds: Ground[];
  on_silence: Decision | "finding";
  reviewer?: string;
  reviewer_name?: string;
  decision?: Decision;
  why?: string;
  decided_by?: string;
  outcome?: string;
};

export type Mine = { reviews: Review[]; lines: Line[]; names: Called };
export type Whole = { review: Review; lines: Line[]; added: { membership: string; person: string; name: string; group: string; role: string; since: string; reasons: string[] }[]; counts: Record<string, number>; names: Called };
export type Answer = { membership: string; decision: Decision; why?: string };

/** most is how many answers one call takes. */
const most = 500;

async function send(target: string, answers: Answer[]): Promise<void> {
  for (let at = 0; at < answers.length; at += most) await call<unknown>("POST", target, { body: { answers: answers.slice(at, at + most) } });
}

export const myReviews = (signal?: AbortSignal) => call<Mine>("GET", "/me/reviews", { signal });
export const decideMine = (review: string, answers: Answer[]) => send(path`/me/reviews/${review}/decide`, answers);
export const decideAny = (review: string, answers: Answer[]) => send(path`/reviews/${review}/decide`, answers);
export const reviews = (signal?: AbortSignal) => call<{ items: Review[]; names: Called }>("GET", "/reviews", { signal });
export const review = (id: string, signal?: AbortSignal) => call<Whole>("GET", path`/reviews/${id}`, { signal });

export type Beginning = { about: About; ref?: string; reviewer: Review["reviewer"]; named?: string; silence: Decision; until: string; ends_at: string };
export const beginReview = (body: Beginning) => call<Review>("POST", "/reviews", { body });

/** documentURL is where a document of evidence is; the browser saves or shows it. */
export const documentURL = (target: string, query: Record<string, string>) => `/api/v1${target}?${new URLSearchParams(query)}`;
