import type { Names } from "../i18n/types";
import { call, path } from "./client";

export type About = Record<string, string | undefined>;

export type Notice = { id: string; kind: string; about: About; at: string; read_at?: string };

/** Called is what ids are called, by language; "" stands for every language. */
export type Called = Record<string, Names | undefined>;

export type Inbox = { items: Notice[]; next?: string; unread: number; names: Called };

export type Handover = { id: string; kind: string; thing: string; from: string; to?: string; why?: string; state: "waiting" | "offered" | "accepted" | "refused" | "ended"; opened_at: string; closed_at?: string; closed_by?: string };

export type Handovers = { items: Handover[]; names: Called };

/** Owned is one thing that somebody answers for, and who would be asked if they left now. */
export type Owned = { kind: string; thing: string; alone: boolean; to?: string; why?: string };

export type Sheet = Handovers & { status: string; ends_at?: string; owned: Owned[] };

export const inbox = (query: { unread?: "true"; limit?: number; cursor?: string }, signal?: AbortSignal) => call<Inbox>("GET", "/inbox", { query, signal });
export const readNotice = (id: string) => call<unknown>("POST", path`/inbox/${id}/read`);
export const readUpTo = (at: string) => call<unknown>("POST", "/inbox/read", { body: { up_to: at } });

export const myHandovers = (signal?: AbortSignal) => call<Handovers>("GET", "/me/handovers", { signal });
export const answer = (id: string, what: "accept" | "refuse") => call<unknown>("POST", `${path`/me/handovers/${id}`}/${what}`);

export const handovers = (state: "waiting" | "offered", signal?: AbortSignal) => call<Handovers>("GET", "/handovers", { query: { state }, signal });
export const assign = (id: string, person: string) => call<unknown>("POST", path`/handovers/${id}/assign`, { body: { person } });
export const sheet = (person: string, signal?: AbortSignal) => call<Sheet>("GET", path`/people/${person}/handover`, { signal });

/** calledIn answers what an id is called: in the language, in every language, or the id. */
export function calledIn(names: Called, short: "en" | "zh", id: string | undefined): string {
  if (!id) return "";
  const own = names[id];
  return own?.[short] || own?.[""] || own?.["en"] || own?.["zh"] || id;
}
