import type { Names } from "../i18n/types";
import { call, list, path } from "./client";

export type Hold = {
  id: string;
  cause?: string;
  state?: string;
  created_at?: string;
  decided_at?: string;
  source?: { id: string; name?: string } | string | null;
  reason?: string;
  count?: number;
  removals?: { membership?: string; person?: { id: string; display_name?: string }; group?: { id: string; key?: string; name?: Names | string } }[];
  people?: ({ id: string; display_name?: string } | string)[];
};

export const holds = (signal?: AbortSignal) => list<Hold>("/holds", { query: { limit: 100 }, signal });
export const decide = (id: string, what: "release" | "reject") => call<unknown>("POST", `${path`/holds/${id}`}/${what}`, { body: {} });

/** isOpen tells whether a hold still waits for somebody. */
export const isOpen = (hold: Hold) => !hold.state || hold.state === "open" || hold.state === "pending" || hold.state === "held";

/** size answers how many people a hold is about. */
export const size = (hold: Hold) => hold.count ?? hold.people?.length ?? 0;
