import { call, list, path } from "./client";

export type Role = "owner" | "system" | "security" | "hr" | "helpdesk" | "auditor";

export type AdminRole = { person: string; display_name?: string; role: Role; unit?: string; unit_name?: string; granted_by: string; granted_at: string };
export type RoleLine = { role: Role; limitable: boolean; permissions: string[]; dangerous: string[] };
export type Factor = { enrolled: boolean; required: boolean; locked: boolean; stepped_until?: string; recovery: number };
export type Emergency = { sealed: boolean; sealed_by?: string; sealed_at?: string; half_at?: string; used_at?: string };

export const admins = (signal?: AbortSignal) => list<AdminRole>("/admins", { signal });
export const roleLines = (signal?: AbortSignal) => list<RoleLine>("/roles", { signal });
export const grant = (person: string, role: Role, unit?: string) => call<unknown>("PUT", path`/admins/${person}`, { body: { role, unit: unit || undefined } });
export const revoke = (a: AdminRole) => call<unknown>("DELETE", path`/admins/${a.person}`, { query: { role: a.role, unit: a.unit } });
export const unlock = (person: string) => call<unknown>("POST", path`/admins/${person}/unlock`);
export const forgetFactor = (person: string) => call<unknown>("DELETE", path`/admins/${person}/factor`);

export const factor = (signal?: AbortSignal) => call<Factor>("GET", "/me/factor", { signal });
export const enrol = () => call<{ secret: string; uri: string }>("POST", "/me/factor");
export const confirmFactor = (code: string) => call<{ recovery: string[] }>("POST", "/me/factor/confirm", { body: { code } });
export const stepUp = (code: string) => call<{ until: string }>("POST", "/me/step-up", { body: { code } });

export const emergency = (signal?: AbortSignal) => call<Emergency>("GET", "/emergency", { signal });
