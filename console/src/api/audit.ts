import { list } from "./client";

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

export const audit = (query: { limit?: number; cursor?: string; action?: string; subject?: string }, signal?: AbortSignal) => list<AuditRecord>("/audit", { query, signal });
