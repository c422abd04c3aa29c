import { known } from "../i18n/time";
import { list, path } from "./client";

export type HealthState = "ok" | "failing" | "stale" | "quiet" | "empty" | "never" | "unconfigured";
export type Finding = { severity: string; code: string; text: string };

/** Run is one synchronisation of a source, as it is remembered. */
export type Run = { id: string; kind: string; started_at: string; ended_at?: string; ok: boolean; error?: string; counts?: Record<string, number>; findings: Finding[]; proof?: string };

/** Health is how a source stands, as far as the answering node knows. */
export type Health = {
  state: HealthState;
  follows: string;
  verified_at?: string;
  lag_ms?: number;
  changed_at?: string;
  error?: { code: string; text: string; failures: number };
  last_run?: Run;
  holds: number;
};

export const runs = (source: string, signal?: AbortSignal) => list<Run>(path`/sources/${source}/runs`, { query: { limit: 50 }, signal });

/** secondsOf answers how long a run took; undefined where it has no end. */
export const secondsOf = (run: Run): number | undefined => (known(run.ended_at) ? Math.max(0, (Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000) : undefined);

/** needsLook tells whether somebody should look at a source. */
export const needsLook = (health: Health | undefined): boolean => health !== undefined && ["failing", "stale", "unconfigured"].includes(health.state);

export type Span = { unit: "ms" | "second" | "minute" | "hour" | "day"; value: number };

/** span answers a length of time in the largest unit that says enough. */
export function span(ms: number): Span {
  const at = Math.max(0, ms);
  if (at < 1000) return { unit: "ms", value: Math.round(at) };
  if (at < 60_000) return { unit: "second", value: at < 10_000 ? Math.round(at / 100) / 10 : Math.round(at / 1000) };
  if (at < 3_600_000) return { unit: "minute", value: Math.floor(at / 60_000) };
  if (at < 86_400_000) return { unit: "hour", value: Math.floor(at / 3_600_000) };
  return { unit: "day", value: Math.floor(at / 86_400_000) };
}
