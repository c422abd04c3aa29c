import { call, path } from "./client";

export type SubjectForm = "email" | "iss_sub" | "opaque" | "external_id";

/** ToldReceiver is somebody who is told what becomes of accounts. Without a stream it has not made one yet. */
export type ToldReceiver = {
  name: string;
  audience: string;
  subject: SubjectForm;
  peer?: string;
  stream?: string;
  method?: "push" | "poll";
  endpoint?: string;
  status: "enabled" | "paused" | "disabled";
  reason?: string;
  waiting: number;
  oldest?: string;
  unnamed: number;
  failures: number;
  problem?: string;
  problem_since?: string;
  delivered: number;
  delivered_at?: string;
  refused: number;
};

export type Transmitter = {
  issuer: string;
  configuration: string;
  keys: { id: string; created_at: string; signs_from: string; gone_at?: string }[];
  items: ToldReceiver[];
};

/** NewReceiver is what an administrator says of one; method "": it makes its stream itself. */
export type NewReceiver = { name: string; audience: string; subject: SubjectForm; source?: string; peer?: string; method: "push" | "poll" | ""; endpoint?: string; endpoints?: string; authorization?: string };

export const transmitter = (signal?: AbortSignal) => call<Transmitter>("GET", "/transmitter", { signal });
export const addReceiver = ({ method, ...r }: NewReceiver) => {
  const said = Object.fromEntries(Object.entries({ ...r, method: method || undefined }).filter(([, value]) => value));
  return call<{ name: string; token: string }>("POST", "/transmitter/receivers", { body: said });
};
export const setStatus = (name: string, status: ToldReceiver["status"]) => call<unknown>("PATCH", path`/transmitter/receivers/${name}`, { body: { status } });
export const renewToken = (name: string) => call<{ name: string; token: string }>("POST", path`/transmitter/receivers/${name}/token`);
export const verifyReceiver = (name: string) => call<unknown>("POST", path`/transmitter/receivers/${name}/verify`);
export const removeReceiver = (name: string) => call<unknown>("DELETE", path`/transmitter/receivers/${name}`);
export const rotateKey = () => call<unknown>("POST", "/transmitter/keys", { body: {} });
