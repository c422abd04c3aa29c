// The one door to the server: JSON in and out, RFC 9457 problems as errors, and what happens when the session ends.

/** Problem is an RFC 9457 answer, or the lack of any answer (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly request = "",
    readonly problems: string[] = [],
    readonly body: Record<string, unknown> = {},
  ) {
    super(detail || code);
  }

  /** ended tells that the caller's session or access is over. */
  get ended(): boolean {
    return this.status === 401;
  }
}

/** Page is one page of a list. */
export type Page<T> = { items: T[]; next?: string; total?: number };

const listeners = new Set<(p: Problem) => void>();

/** onEnded calls fn each time the server answers that nobody is signed in. It answers how to stop that. */
export function onEnded(fn: (p: Problem) => void): () => void {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const text = (v: unknown): string => (typeof v === "string" ? v : "");

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.json();
    if (isObject(parsed)) body = parsed;
  } catch {
    // Not JSON: a proxy's page, say. The status alone speaks.
  }
  const fields = Array.isArray(body["problems"]) ? body["problems"] : Array.isArray(body["errors"]) ? body["errors"] : [];
  const lines = fields.map((f: unknown) => (isObject(f) ? [text(f["location"]), text(f["message"])].filter(Boolean).join(": ") : String(f)));
  return new Problem(response.status, text(body["code"]) || `http_${response.status}`, text(body["detail"]) || text(body["title"]) || response.statusText, text(body["request_id"]), lines, body);
}

type Options = { query?: Record<string, string | number | undefined | null>; body?: unknown; file?: Blob; signal?: AbortSignal; quiet?: boolean };

/** path puts values into a path: path`/people/${id}`, escaped. */
export const path = (parts: TemplateStringsArray, ...values: (string | number)[]) =>
  parts.reduce((all, part, i) => all + encodeURIComponent(values[i - 1] ?? "") + part);

/** call makes one request below /api/v1, or below /auth where target begins so. It throws a Problem, and tells the listeners of onEnded of a 401 unless quiet. */
export async function call<T>(method: string, target: string, options: Options = {}): Promise<T> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== null && value !== "") query.set(key, String(value));
  }
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.file !== undefined) headers["Content-Type"] = options.file.type || "application/octet-stream";
  let response: Response;
  try {
    response = await fetch(`${target.startsWith("/auth/") ? "" : "/api/v1"}${target}${query.size ? `?${query}` : ""}`, {
      method,
      headers,
      credentials: "same-origin",
      body: options.file ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
      signal: options.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "offline", "");
  }
  if (!response.ok) {
    const problem = await problemOf(response);
    if (problem.ended && !options.quiet) listeners.forEach((fn) => fn(problem));
    throw problem;
  }
  if (response.status === 204) return undefined as T;
  const raw = await response.text();
  if (raw === "") return undefined as T;
  try {
    return JSON.parse(raw) as T;
  } catch {
    throw new Problem(response.status, "unreadable", "");
  }
}

/** list makes a GET of a list. A bare array and a missing one are lists too. */
export async function list<T>(target: string, options: Options = {}): Promise<Page<T>> {
  const answer = await call<unknown>("GET", target, options);
  if (Array.isArray(answer)) return { items: answer as T[] };
  if (!isObject(answer)) return { items: [] };
  return {
    items: Array.isArray(answer["items"]) ? (answer["items"] as T[]) : [],
    next: text(answer["next"]) || undefined,
    total: typeof answer["total"] === "number" ? answer["total"] : undefined,
  };
}

/** everything follows a list to its end, or to a bound. */
export async function everything<T>(target: string, options: Options = {}, most = 2000): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await list<T>(target, { ...options, query: { limit: 200, ...options.query, cursor } });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < most);
  return { items, next: cursor };
}
