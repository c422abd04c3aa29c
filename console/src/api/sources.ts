import { known } from "../i18n/time";
import { call, list, path } from "./client";
import type { Health } from "./health";

export type Token = { id: string; name?: string; scope?: "read" | "write"; created_at?: string; last_used_at?: string; expires_at?: string; revoked_at?: string };

export type Source = {
  id: string;
  name?: string;
  kind?: string;
  priority?: number;
  correlate?: string[];
  created_at?: string;
  records?: number;
  advisory?: boolean;
  mode?: string;
  synced_at?: string;
  tokens?: Token[];
  authority?: string[];
  health?: Health;
};

export type Counts = { records: number; active: number; groups: number; units: number; pending_members: number; pending_managers: number; pending_units: number };
export type SourceDetail = Source & { scim_url?: string; counts: Counts };
export type Traffic = {
  requests: number;
  failed: number;
  limited: number;
  strangers: number;
  dropped: number;
  rate: number;
  burst: number;
  bodies: boolean;
  keep_hours: number;
  ignored: { attribute: string; requests: number; last_at: string }[];
};
export type Seen = {
  id: string;
  at: string;
  method: string;
  path: string;
  query?: string;
  status: number;
  failed: boolean;
  scim_type?: string;
  detail?: string;
  ms: number;
  resource?: string;
  token?: string;
  ignored?: string[];
  client?: string;
};
export type SeenWhole = Seen & { request_body: { text: string; bytes: number }; answer_body: { text: string; bytes: number } };
export type Step = { name: string; request?: string; expected: string; got: string; status?: number; ms: number; ok: boolean; hint?: Record<string, string> };
export type Trial = { at: string; source: string; kind: string; target: string; ok: boolean; steps: Step[]; text: string };
export type NewSource = { name: string; kind: string; priority?: number; correlate?: string[]; advisory?: boolean; dry_run?: boolean };
export type Synced = { people: number; groups: number; units: number; written: number; absent: number; seconds: number };

export const sources = (signal?: AbortSignal) => list<Source>("/sources", { signal }); // never paged
export const source = (id: string, signal?: AbortSignal) => call<SourceDetail>("GET", path`/sources/${id}`, { signal });
export const traffic = (id: string, signal?: AbortSignal) => call<Traffic>("GET", path`/sources/${id}/traffic`, { signal });
export const requests = (id: string, query: { status?: string; q?: string; limit: number }, signal?: AbortSignal) => list<Seen>(path`/sources/${id}/requests`, { query, signal });
export const request = (id: string, one: string, signal?: AbortSignal) => call<SeenWhole>("GET", path`/sources/${id}/requests/${one}`, { signal });
export const createSource = (body: NewSource) => call<Source>("POST", "/sources", { body });
export const issueToken = (id: string, body: { name?: string; scope?: string; expires_at?: string }) => call<Token & { secret: string }>("POST", path`/sources/${id}/tokens`, { body });
export const revokeToken = (id: string, token: string) => call<undefined>("DELETE", path`/sources/${id}/tokens/${token}`);
export const testSource = (id: string, lang: "en" | "zh") => call<Trial>("POST", path`/sources/${id}/test`, { body: { lang } });
export const syncSource = (id: string) => call<Synced>("POST", path`/sources/${id}/sync`, { body: {} });

/** heardAt answers when anything last came from a source: a synchronisation, or a call with one of its tokens. */
export const heardAt = (s: Source): string | undefined => [s.synced_at, ...(s.tokens ?? []).map((token) => token.last_used_at)].filter((at): at is string => known(at)).sort().at(-1);

/** isLive tells whether a token is taken now. */
export const isLive = (token: Token, now = Date.now()): boolean => !known(token.revoked_at) && !(known(token.expires_at) && Date.parse(token.expires_at) <= now);

/** endsSoon answers in how many days a live token ends, where that is within two weeks. */
export function endsSoon(token: Token, now = Date.now()): number | undefined {
  if (!isLive(token, now) || !known(token.expires_at)) return undefined;
  const days = Math.floor((Date.parse(token.expires_at) - now) / 86_400_000);
  return days < 14 ? days : undefined;
}

export type Rotation = { step: "none" | "one" | "move" | "retire"; older?: Token; newer?: Token };

/** rotation answers where a change of tokens stands: no token; one; a second one that the client does not use yet; one that it does, so that the old one can go. */
export function rotation(tokens: Token[], now = Date.now()): Rotation {
  const live = tokens.filter((token) => isLive(token, now)).sort((a, b) => (a.created_at ?? "").localeCompare(b.created_at ?? ""));
  const [older, newer] = live;
  if (!older) return { step: "none" };
  if (!newer) return { step: "one", older };
  return { step: known(newer.last_used_at) && (!known(older.last_used_at) || older.last_used_at < newer.last_used_at) ? "retire" : "move", older, newer };
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** curlOf answers a request as a command line; the token is a variable, never a value. */
export function curlOf(r: SeenWhole, scimURL: string): string {
  const at = `${new URL(scimURL).origin}${r.path}${r.query ? `?${r.query}` : ""}`;
  const parts = ["curl -i", `-X ${r.method}`, quote(at), `-H "Authorization: Bearer $TOKEN"`];
  if (r.request_body.text) parts.push("-H 'Content-Type: application/scim+json'", `--data ${quote(r.request_body.text)}`);
  return parts.join(" \\\n  ");
}

/** pretty answers a JSON text with line breaks, or the text as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
