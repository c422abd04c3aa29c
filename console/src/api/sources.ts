import { everything } from "./client";

export type Source = {
  id: string;
  name?: string;
  kind?: string;
  priority?: number;
  created_at?: string;
  records?: number;
  last_sync_at?: string;
  last_error?: string;
};

export const sources = (signal?: AbortSignal) => everything<Source>("/sources", { signal });
