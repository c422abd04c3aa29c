import { call } from "./client";

export type Me = {
  person?: { id: string; display_name?: string; email?: string; locale?: string; time_zone?: string } | null;
  admin?: boolean;
  /** What the roles of administrators hold, for everything or for a part. */
  permissions?: string[];
  roles?: { role: string; unit?: string }[];
  /** Project groups that the person owns. */
  owns?: string[];
};

/** me answers who is signed in. Quiet: it is asked in order to find out, so a 401 is an answer like another. */
export const me = (signal?: AbortSignal) => call<Me>("GET", "/me", { signal, quiet: true });

/** signOut ends the session and answers where to go then: the identity provider's own sign-out, where the server names one. */
export async function signOut(): Promise<string> {
  const here = "/signin?signed_out=1";
  try {
    const response = await fetch("/auth/logout", { method: "POST", credentials: "same-origin", redirect: "manual", headers: { Accept: "application/json" } });
    if (response.ok && response.headers.get("Content-Type")?.includes("json")) {
      const answer: unknown = await response.json();
      if (typeof answer === "object" && answer !== null && "location" in answer && typeof answer.location === "string") return answer.location;
    }
  } catch {
    // Unreachable: the page forgets all the same.
  }
  return here;
}
