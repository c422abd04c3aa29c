import { call, path } from "./client";
import type { Names } from "../i18n/types";

export type PreviewKind = "new" | "joined" | "changed" | "frozen" | "lifted" | "gained" | "lost" | "double" | "conflict" | "pending" | "failed";
export const previewKinds: PreviewKind[] = ["new", "joined", "changed", "frozen", "lifted", "gained", "lost", "double", "conflict", "pending", "failed"];

type Person = { id: string; display_name?: string };

/** PreviewLine is what one record of a source would do. */
export type PreviewLine = {
  link: string;
  user_name?: string;
  display_name?: string;
  kinds: PreviewKind[];
  joins?: Person;
  by?: string;
  conflict?: string;
  frozen?: boolean;
  changes: { field: string; before: unknown; after: unknown }[];
  freezes: { op: "open" | "lift"; cause: string; from?: string; until?: string }[];
  memberships: { group: string; op: string; role?: string; from_role?: string; cause?: string }[];
  doubles: { person: Person; by: string }[];
  pending: string[];
  failure?: string;
};

/** Preview is what would happen if a source went live now; the counts come with the first page only. */
export type Preview = {
  stage: { records: number; groups: number; units: number; members: number; members_pending: number };
  hash?: string;
  summary?: {
    new: number;
    joined: number;
    joined_by: Record<string, number>;
    changed: number;
    frozen: number;
    lifted: number;
    arriving_frozen: number;
    gained: number;
    lost: number;
    roles: number;
    doubles: number;
    quarantined: number;
    conflicts: number;
    pending: number;
    failed: number;
    groups: { group: string; name?: Names | string; gained: number; roles: number; lost: Record<string, number> }[];
  };
  verdict?: { held: boolean; reasons: string[] };
  items: PreviewLine[];
  next?: string;
};

export const preview = (source: string, kind: PreviewKind | undefined, cursor: string | undefined, signal?: AbortSignal) =>
  call<Preview>("GET", `${path`/sources/${source}`}/preview`, { query: { kind, cursor, limit: 50 }, signal });
export const goLive = (source: string, hash: string) => call<{ mode: string; verdict?: { held: boolean } }>("POST", `${path`/sources/${source}`}/live`, { body: { hash } });
export const discard = (source: string) => call<void>("DELETE", path`/sources/${source}`);
