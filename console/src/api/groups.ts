import type { Names } from "../i18n/types";
import { call, everything, path, type Page } from "./client";
import type { Membership } from "./people";

export type GroupChannel = { id: string; key?: string; name?: Names | string; labels?: string[]; access?: Record<string, string>; archived_at?: string };

export type Group = { id: string; key?: string; name?: Names | string; channels?: GroupChannel[]; members?: number };

export const groups = (signal?: AbortSignal) => everything<Group>("/groups", { signal });
export const membershipsIn = (group: string, signal?: AbortSignal) => everything<Membership>("/memberships", { query: { group }, signal });

/** OwnedPlan is what a plan that is not in force would do to project groups of the reader. */
export type OwnedPlan = { id: string; created_at: string; at?: string; author: { id: string; display_name?: string }; groups: { group: string; key: string; people: number; added: number; removed: number; changed: number }[] };
export type OwnedChange = { person: { id: string; display_name?: string }; op: string; before?: string; role: string; ground: string; gains: string[]; loses: string[] };

export const ownedPlans = (signal?: AbortSignal) => call<{ items: OwnedPlan[] }>("GET", "/me/plans", { signal });
export const ownedChanges = (plan: string, query: { group: string; cursor?: string }, signal?: AbortSignal) => call<Page<OwnedChange>>("GET", path`/me/plans/${plan}`, { query: { ...query, limit: 50 }, signal });
