import { call, path } from "./client";
import type { Finding } from "./health";

export type Connection = {
  urls: string[];
  security: "ldaps" | "starttls" | "plain";
  own_ca: boolean;
  server_name?: string;
  bind_dn: string;
  base: string;
  page_size: number;
  id_attribute?: string;
  person_classes?: string[];
  unit_classes?: string[];
  group_classes?: string[];
  sentinel?: string;
  poll_seconds: number;
};

export type Probe = {
  at: string;
  ok: boolean;
  ms: number;
  capabilities: { vendor: string; id_attribute: string; tls: string; position: boolean; paging: boolean; content_sync: boolean; sample: Record<string, number>; counts?: Record<string, number>; part?: Record<string, boolean>; latency_ms: number };
  findings: Finding[];
};

export type Field = { field: string; from: string[]; defaults: string[]; own: boolean };
export type Version = { version: number; at: string; actor: string; file: boolean; mapping?: Record<string, string>; labels?: Record<string, string> };
export type MappingInForce = { fields: Field[]; labels: { label: string; from: string }[]; version: number; file: boolean; versions: Version[] };
export type Progress = { phase: string; class: string; done: number; total?: number };
export type Ldap = { connection: Connection; mapping: MappingInForce; probe?: Probe; progress?: Progress };

export type Shown = { name: string; values: string[]; more?: number; hidden?: boolean; binary?: boolean };
export type Made = { field: string; value: string; from?: string };
export type Sample = { dn: string; key: string; attributes: Shown[]; made: Made[]; proposed?: Made[]; active: boolean; end_at?: string };

export type Mapping = { mapping: Record<string, string>; labels: Record<string, string> };
export type FieldDiff = { field: string; changed: number; gained: number; lost: number; examples: { person: string; before: string; after: string }[] };
export type MappingDiff = {
  people: number;
  changed: number;
  fields: FieldDiff[];
  complete: boolean;
  missing: string[];
  foreseen: boolean;
  groups: { group: string; added: number; removed: number; roles: number }[];
  findings: Finding[];
  seconds: number;
  base_version: number;
  hash: string;
};

export const ldap = (id: string, signal?: AbortSignal) => call<Ldap>("GET", path`/sources/${id}/ldap`, { signal });
export const probe = (id: string) => call<Probe>("POST", path`/sources/${id}/probe`, { body: {} });
export const samples = (id: string, body: { name?: string; limit?: number } & Partial<Mapping>, signal?: AbortSignal) => call<{ items: Sample[] }>("POST", path`/sources/${id}/samples`, { body, signal });
/** Proposal is a mapping that is asked about: one's own, or back to that of the configuration. */
export type Proposal = Mapping | { file: true };

export const applyMapping = (id: string, body: Proposal & { hash: string }) => call<MappingInForce>("PUT", path`/sources/${id}/mapping`, { body });
export const previewMapping = (id: string, body: Proposal) => call<MappingDiff>("POST", path`/sources/${id}/mapping/preview`, { body });

/** Draft is a mapping while it is edited: LDAP attributes as they are typed. "" is the default, "-" is nothing. */
export type Draft = { fields: Record<string, string>; labels: { label: string; from: string }[] };

/** draftOf answers a mapping in force as it is edited. */
export const draftOf = (m: MappingInForce): Draft => ({
  fields: Object.fromEntries(m.fields.map((f) => [f.field, f.own ? f.from.join(", ") || "-" : ""])),
  labels: m.labels.map((l) => ({ ...l })),
});

const tidy = (list: string) =>
  list
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean)
    .join(",");

/** mappingOf answers what is sent of a draft: only what is not the default. */
export function mappingOf(d: Draft): Mapping {
  const out: Mapping = { mapping: {}, labels: {} };
  for (const [field, list] of Object.entries(d.fields)) if (tidy(list)) out.mapping[field] = tidy(list);
  for (const { label, from } of d.labels) if (label.trim() && from.trim()) out.labels[label.trim()] = from.trim();
  return out;
}

const stable = (m: Mapping) => JSON.stringify([Object.entries(m.mapping).sort(), Object.entries(m.labels).sort()]).toLowerCase();

/** same tells whether two drafts say the same. */
export const same = (a: Draft, b: Draft): boolean => stable(mappingOf(a)) === stable(mappingOf(b));

const attribute = /^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$/; // RFC 4512 section 2.5

/** wrong answers the first name in a list that is no LDAP attribute; undefined where all are. */
export const wrong = (list: string): string | undefined =>
  list
    .split(",")
    .map((name) => name.trim())
    .find((name) => name !== "" && name !== "-" && !attribute.test(name));

export type SampleRow = { field: string; now?: Made; then?: Made; differs: boolean };

/** rowsOf puts what is made of an entry now beside what the draft would make of it, in the order of the fields. */
export function rowsOf(s: Sample, fields: string[]): SampleRow[] {
  const then = s.proposed ?? s.made;
  const names = [...fields, ...[...s.made, ...then].map((m) => m.field)].filter((f, i, all) => all.indexOf(f) === i);
  return names
    .map((field) => {
      const before = s.made.find((m) => m.field === field);
      const after = then.find((m) => m.field === field);
      return { field, now: before, then: after, differs: (before?.value ?? "") !== (after?.value ?? "") };
    })
    .filter((r) => r.now || r.then);
}

/** usedBy answers which fields read an LDAP attribute in this entry. */
export const usedBy = (s: Sample, name: string): string[] => (s.proposed ?? s.made).filter((m) => m.from === name.toLowerCase()).map((m) => m.field);

/** wordsOf writes what a version of a mapping says, apart from the defaults. */
export const wordsOf = (v: Version): [string, string][] => [...Object.entries(v.mapping ?? {}), ...Object.entries(v.labels ?? {}).map(([label, from]): [string, string] => [`label.${label}`, from])];
