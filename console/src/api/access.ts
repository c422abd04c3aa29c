import type { Names } from "../i18n/types";
import { call, everything, path } from "./client";
import type { Reason } from "./people";

export type Step = {
  kind?: string;
  text?: Names | string;
  ref?: string;
  rule?: string;
  policy_version?: number;
  expression?: string;
  user?: string;
  relation?: string;
  object?: string;
  since?: string;
  from?: string;
  until?: string;
  source?: string;
  by?: string;
};

export type Explanation = {
  allowed?: boolean;
  action?: string;
  role?: string;
  since?: string;
  history_from?: string;
  path?: Step[];
  missing?: (Step | string)[];
  index?: boolean;
  openfga?: boolean | null;
};

export type AudienceEntry = {
  person?: { id: string; display_name?: string } | null;
  role?: string;
  since?: string;
  suspended?: boolean;
  held?: boolean;
  reasons?: Reason[];
  /** With an instant: the evidence of that time. */
  past?: { access: string; until?: string; revision: number; as_of: number; history_from?: string };
};

export const explain = (person: string, channel: string, at?: string, signal?: AbortSignal) => call<Explanation>("GET", "/access/explain", { query: { person, channel, at }, signal });
export const audience = (channel: string, at?: string, signal?: AbortSignal) => everything<AudienceEntry>(path`/access/channels/${channel}/audience`, { query: { at }, signal }, 5000);
