import type { Problem } from "../api/client";
import type { Me } from "../api/me";

/** Ending is how a session came to its end: access was taken away, it ran out, or the person left. */
export type Ending = "access" | "expired" | "left";

/** endingOf reads from a refusal how the session ended; fromStream: the server had closed a live stream before. */
export function endingOf(problem: Problem, fromStream: boolean): Ending {
  if (problem.code === "person_frozen") return "access";
  if (problem.code === "session_ended") return "expired"; // ran out, or was ended on another device or by an administrator
  return fromStream ? "access" : "expired";
}

/** local answers a path of this very site; anything else becomes the start page (no open redirect). */
export const local = (target: string | null | undefined): string => (target && /^\/(?![/\\])/.test(target) && !target.startsWith("/signin") ? target : "/");

/** signInURL is where a sign-in begins; afterwards the server leads back to a path of this site. */
export const signInURL = (back?: string | null) => `/auth/login?return_to=${encodeURIComponent(local(back))}`;

/** signInPageURL is the page where one chooses how to sign in. */
export const signInPageURL = (back?: string | null) => `/signin?return=${encodeURIComponent(local(back))}`;

/** may tells whether to show what a permission is for. The server decides all the same. */
export const may = (me: Me, permission: string): boolean => (me.permissions ?? []).includes(permission);

/** mayEverywhere tells the same of what is closed to who has all their roles for a part of the organisation. */
export const mayEverywhere = (me: Me, permission: string): boolean => may(me, permission) && (me.roles ?? []).some((r) => !r.unit);

/** owns tells whether somebody owns a project group. */
export const owns = (me: Me): boolean => (me.owns ?? []).length > 0;
