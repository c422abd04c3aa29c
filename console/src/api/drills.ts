import { call, list } from "./client";

/** NodeFinding is what a drill saw of one node. */
export type NodeFinding = {
  node: string;
  url: string;
  heard: number;
  cut_ms: number;
  late: number;
  open: string[];
  witness: number;
  fault?: string;
};

/** Drill is one rehearsal of an offboarding. Without a verdict it is under way. */
export type Drill = {
  id: string;
  actor: string;
  started_at: string;
  ended_at?: string;
  verdict?: "passed" | "failed" | "incomplete";
  took_ms: number;
  before: number;
  after: number;
  nodes: NodeFinding[];
  fault?: string;
};

export const drills = (signal?: AbortSignal) => list<Drill>("/drills", { signal });
export const holdDrill = () => call<Drill>("POST", "/drills", { body: {} });
