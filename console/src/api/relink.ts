import { call, path } from "./client";
import type { Health } from "./health";

/** Pair is somebody who has another id in the directory now. */
export type Pair = { person: string; name: string; dn: string; by: "employee_number" | "user_name" | "dn"; was: string; now: string };
export type Unsure = { name: string; dn: string; people: string[]; why: "several" | "contradiction" | "taken" };
export type Relinking = {
  read: number;
  known: number;
  same: number;
  linked: number;
  by: Record<string, number>;
  pairs: Pair[];
  unsure: Unsure[];
  ambiguous: number;
  new: number;
  missing: number;
  units: number;
  groups: number;
  complete: boolean;
  why: string[];
  hash: string;
};

export const previewRelink = (id: string) => call<Relinking>("POST", path`/sources/${id}/relink/preview`, { body: {} });
export const relink = (id: string, hash: string) => call<Relinking>("POST", path`/sources/${id}/relink`, { body: { hash } });

/** otherIds tells whether a directory is refused because its people may have other ids now. */
export const otherIds = (h: Health | undefined): boolean =>
  ["reborn", "implausible"].includes(h?.error?.code ?? "") || (h?.last_run?.ok === false && h.last_run.findings.some((f) => f.code === "reborn"));

/** canLink tells whether there is anything to link, and it may be. */
export const canLink = (r: Relinking): boolean => r.complete && r.linked + r.units + r.groups > 0;
