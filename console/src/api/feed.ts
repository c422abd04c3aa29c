import { call, path } from "./client";

export type RowFinding = { line?: number; row?: number; column?: string; key?: string; code: string; text: string; value?: string };
export type FeedCounts = { rows: number; refused: number; people: number; new: number; changed: number; ended: number; deleted: number; unchanged: number; absent: number; units: number };
export type FeedDiff = { line?: number; key: string; name: string; outcome: string; fields?: { field: string; before: unknown; now: unknown }[] };

/** Foresight is a membership that would end or begin. */
export type Foresight = { person: string; name: string; group: string; role: string; at?: string };

/** Report is what a file did, or would do. */
export type Report = {
  run: string;
  file?: string;
  kind?: string;
  format?: string;
  preview: boolean;
  taken_before?: string;
  mode: string;
  at: string;
  seconds: number;
  counts: FeedCounts;
  refused: RowFinding[];
  notes: RowFinding[];
  unknown_columns: string[];
  people: FeedDiff[];
  losses?: Foresight[];
  gains?: Foresight[];
  held?: { hold?: string; cause: string; people: number; reason: string }[];
  complete: boolean;
};

export type ColumnMapping = {
  columns?: Record<string, string>;
  key?: string;
  number_length?: number;
  date_order?: string;
  actions?: Record<string, string>;
  statuses?: Record<string, string>;
  sheet?: string;
  path_separator?: string;
  time_zone?: string;
  time_zones?: Record<string, string>;
};

export type Taken = { run: string; file?: string; kind?: string; origin: string; at: string; seconds: number; applied: boolean; error?: string; counts: FeedCounts; findings: RowFinding[] };
export type Feed = { mapping: ColumnMapping; saved: ColumnMapping; saved_at?: string; configured: boolean; folder: boolean; hook?: string; files: Taken[] };

/** HowRead says what kind of file it is, where neither its name nor its content does. */
export type HowRead = "" | "full" | "delta";

export const feed = (id: string, signal?: AbortSignal) => call<Feed>("GET", path`/sources/${id}/feed`, { signal });
export const saveColumns = (id: string, mapping: ColumnMapping) => call<ColumnMapping>("PUT", path`/sources/${id}/feed/mapping`, { body: mapping });
export const handIn = (id: string, file: File, how: { kind: HowRead; preview: boolean; again: boolean }) =>
  call<Report>("POST", path`/sources/${id}/feed`, { query: { name: file.name, kind: how.kind, preview: how.preview ? "true" : undefined, again: how.again ? "true" : undefined }, file });

/** fields are what a column may be read as, in the order in which people look for them. */
export const fields = [
  "employee_number", "display_name", "given_name", "family_name", "user_name", "email", "phone", "mobile", "title", "department", "division", "company", "organization", "cost_center", "employee_type",
  "unit", "unit_name", "unit_path", "manager", "start", "end", "leave_from", "leave_until", "effective", "action", "status", "reason", "time_zone", "locale", "external_id",
] as const;

/** kindOfName reads "people.full.csv": what a file says of itself by its name. */
export function kindOfName(name: string): HowRead {
  const parts = name.toLowerCase().split(".").slice(1).reverse();
  const said = parts.find((part) => part === "full" || part === "delta");
  return said === "full" || said === "delta" ? said : "";
}

/** withColumn answers a mapping in which a heading is read as field; "" takes it out. */
export function withColumn(m: ColumnMapping, heading: string, field: string): ColumnMapping {
  const columns = { ...m.columns };
  if (field) columns[heading] = field;
  else delete columns[heading];
  return { ...m, columns };
}

/** byGroup counts the memberships that end, per project group, the most first. */
export function byGroup(losses: { group: string }[] | undefined): [string, number][] {
  const counts = new Map<string, number>();
  for (const l of losses ?? []) counts.set(l.group, (counts.get(l.group) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
}

/** effect tells whether taking the file would change anything. */
export const effect = (c: FeedCounts): number => c.new + c.changed + c.ended + c.deleted + c.absent + c.units;
