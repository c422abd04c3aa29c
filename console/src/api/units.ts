import { call, list, path } from "./client";

/** What becomes of a unit. */
export type SuccessionKind = "renumber" | "split" | "merge";

export const kinds: SuccessionKind[] = ["renumber", "split", "merge"];

/** Succession is one unit that was and one that is, as somebody declared it; several have the id of one declaration. */
export type Succession = { id: string; source: string; kind: SuccessionKind; old: string; old_name: string; old_names?: Record<string, string>; new: string; effective_at: string; in_force: boolean; created_at: string; actor: string };

/** SuccessionRow is one line of what is to be declared. */
export type SuccessionRow = { kind: SuccessionKind; old: string; new: string };

/** SuccessionFile is what is to be declared: by whose keys and from when on, where the text does not say. */
export type SuccessionFile = { name: string; text: string; source?: string; effective?: string; reason?: string };

export type SuccessionPlan = {
  source: string;
  effective_at: string;
  items: { kind: SuccessionKind; old: string; old_name: string; old_names?: Record<string, string>; new: string; new_known: boolean; people: number; already: number }[];
  rules: { group: string; rule: string; when: string; edit: boolean }[];
  withdraw: boolean;
  scopes: number;
  plan: string;
  hash: string;
};

const cell = (text: string) => (/[",\n\r#]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** csvOf answers rows as the file that declares them. */
export const csvOf = (rows: SuccessionRow[]): string => ["kind,old,new", ...rows.map((r) => [r.kind, r.old, r.new].map(cell).join(","))].join("\n") + "\n";

/** byDeclaration puts together what was declared at once, in the order given. */
export function byDeclaration(items: Succession[]): Succession[][] {
  const found = new Map<string, Succession[]>();
  for (const s of items) found.set(s.id, [...(found.get(s.id) ?? []), s]);
  return [...found.values()];
}

export const successions = (signal?: AbortSignal) => list<Succession>("/units/successions", { signal });
export const planSuccessions = (file: SuccessionFile) => call<SuccessionPlan>("POST", "/units/successions/plan", { body: file });
export const planWithdrawal = (id: string) => call<SuccessionPlan>("POST", path`/units/successions/${id}/withdraw`, { body: {} });
