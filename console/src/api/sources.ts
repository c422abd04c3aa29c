import { known } from "../i18n/time";
import { list } from "./client";

export type Source = {
  id: string;
  name?: string;
  kind?: string;
  priority?: number;
  created_at?: string;
  records?: number;
  advisory?: boolean;
  synced_at?: string;
  last_error?: string;
  tokens?: { id: string; name?: string; last_used_at?: string; expires_at?: string; revoked_at?: string }[];
};

export const sources = (signal?: AbortSignal) => list<Source>("/sources", { signal }); // never paged

/** heardAt answers when anything last came from a source: a synchronisation, or a call with one of its tokens. */
export const heardAt = (s: Source): string | undefined => [s.synced_at, ...(s.tokens ?? []).map((token) => token.last_used_at)].filter((at): at is string => known(at)).sort().at(-1);
