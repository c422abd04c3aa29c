import { call, list } from "./client";

export type AuditRecord = {
  seq: number;
  at?: string;
  actor?: string;
  actor_name?: string;
  action?: string;
  subject?: string;
  subject_name?: string;
  cause?: string;
  request_id?: string;
  public?: Record<string, unknown>;
  personal?: Record<string, unknown>;
  erased?: boolean;
};

export const audit = (query: { limit?: number; cursor?: string; action?: string; subject?: string; without?: string }, signal?: AbortSignal) => list<AuditRecord>("/audit", { query, signal });

export type Outlet = {
  name: string;
  kind: string;
  next: number;
  behind: number;
  sent_at?: string;
  checkpoint_size: number;
  checkpoint_at?: string;
  unsigned: number;
  problem?: string;
  problem_since?: string;
};

export const outlets = (signal?: AbortSignal) => call<{ size: number; items: Outlet[] }>("GET", "/audit/outlets", { signal });

/** looked is the action of who looked at somebody: many, and of interest to few. */
export const looked = "person.looked_at";
