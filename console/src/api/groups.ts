import type { Names } from "../i18n/types";
import { everything } from "./client";
import type { Membership } from "./people";

export type GroupChannel = { id: string; key?: string; name?: Names | string; labels?: string[]; access?: Record<string, string>; archived_at?: string };

export type Group = { id: string; key?: string; name?: Names | string; channels?: GroupChannel[]; members?: number };

export const groups = (signal?: AbortSignal) => everything<Group>("/groups", { signal });
export const membershipsIn = (group: string, signal?: AbortSignal) => everything<Membership>("/memberships", { query: { group }, signal });
