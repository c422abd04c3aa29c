import type { Names } from "../i18n/types";
import { call, list, path } from "./client";

export type Hold = {
  id: string;
  cause?: string;
  state?: string;
  created_at?: string;
  decided_at?: string;
  source?: { id: string; name?: string } | string | null;
  source_name?: string;
  reason?: string;
  about?: { kind: "group" | "unit" | "directory_group"; id: string; name: string; names?: Names };
  breach?: { people: number; limit: number; of?: number; attribute?: string; cleared?: boolean; admin?: boolean };
  count?: number;
  causes?: { cause: string; people: number }[];
  removals?: { membership?: string; person?: { id: string; display_name?: string }; group?: { id: string; key?: string; name?: Names | string } }[];
  people?: ({ id: string; display_name?: string } | string)[];
  burst?: Burst;
  /** the policy wants somebody else to agree before it is released */
  needs_approval?: boolean;
};

/** Burst is what a hold of the cause "burst" lists: whom a source disabled or deleted. */
export type Burst = {
  of?: number;
  limit: number;
  frozen: number;
  first_at: string;
  last_at: string;
  freezes: { freeze: string; person: { id: string; display_name?: string }; cause: string; at: string; outcome: string; ended_at?: string }[];
};

export type Restored = {
  restored: { id: string; display_name?: string }[];
  frozen: { id: string; display_name?: string }[];
  skipped: { id: string; display_name?: string }[];
  memberships: number;
  until: string;
};

export const holds = (signal?: AbortSignal) => list<Hold>("/holds", { query: { limit: 100 }, signal });
export const decide = (id: string, what: "release" | "reject") => call<unknown>("POST", `${path`/holds/${id}`}/${what}`, { body: {} });
export const restore = (id: string, people?: string[]) => call<Restored>("POST", path`/holds/${id}/restore`, { body: { people } });

/** isBurst tells a source that froze many people from removals that wait. */
export const isBurst = (hold: Hold) => hold.cause === "burst";

/** isOpen tells whether a hold still waits for somebody. */
export const isOpen = (hold: Hold) => !hold.state || hold.state === "open" || hold.state === "pending" || hold.state === "held";

/** size answers how many people a hold is about. */
export const size = (hold: Hold) => hold.count ?? hold.people?.length ?? 0;
