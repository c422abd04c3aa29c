import type { Decision } from "./approvals";
import type { Message } from "./chat";
import { call, list, path } from "./client";
import type { Called } from "./inbox";

/** Glass is a request to read a channel without a place in it, and what came of it. */
export type Glass = {
  id: string;
  person: string;
  channel: string;
  minutes: number;
  reason: string;
  state: "waiting" | "refused" | "withdrawn" | "lapsed" | "open" | "over" | "ended";
  asked_at: string;
  lapses_at: string;
  decisions: Decision[];
  until?: string;
  ended_at?: string;
  ended_by?: string;
  reads: number;
};

export type GlassPage = { items: Glass[]; next?: string; names: Called };

export const glasses = (cursor: string, signal?: AbortSignal) => call<GlassPage>("GET", "/break-glass", { query: { limit: 20, cursor }, signal });
export const askGlass = (what: { channel: string; minutes: number; reason: string }) => call<Glass>("POST", "/break-glass", { body: what });
export const endGlass = (id: string) => call<unknown>("POST", path`/break-glass/${id}/end`);
export const readGlass = (id: string, before: number | undefined, signal?: AbortSignal) => list<Message>(path`/break-glass/${id}/messages`, { query: { before, limit: 50 }, signal });
