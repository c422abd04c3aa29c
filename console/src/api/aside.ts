import { call, list, path } from "./client";

/** SetAside is what a follower of the feed could not handle about one subject. */
export type SetAside = {
  follower: string;
  subject: string;
  /** whom it is about */
  person?: string;
  kind: string;
  events: number;
  attempts: number;
  problem: string;
  /** the person is denied everything until it is handled */
  closed: boolean;
  since: string;
  retry_at: string;
};

/** permission is what shows what was set aside, and what has it tried again. */
export const permission = { read: "metrics.read", retry: "sources.write" } as const;

export const setAside = (signal?: AbortSignal) => list<SetAside>("/set-aside", { signal });
export const retry = (one: SetAside) => call<unknown>("POST", `${path`/set-aside/${one.follower}/${one.subject}`}/retry`);

/** denied answers who is denied everything by it, each once. */
export const denied = (items: SetAside[]): string[] => [...new Set(items.filter((i) => i.closed && i.person).map((i) => i.person ?? ""))];

/** about answers what of it is about a person. */
export const about = (items: SetAside[], person: string): SetAside[] => items.filter((i) => i.person === person || i.subject === person);
