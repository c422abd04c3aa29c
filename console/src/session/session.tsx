import { useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { onEnded, Problem } from "../api/client";
import { me as fetchMe, signOut as endSession, type Me } from "../api/me";
import { endingOf, type Ending } from "./rules";
import { write } from "./stored";

export type Session =
  | { state: "loading" }
  | { state: "failed"; problem: Problem }
  | { state: "anonymous" }
  | { state: "in"; me: Me }
  | { state: "ended"; ending: Ending };

type Value = {
  session: Session;
  retry: () => void;
  /** check asks the server whether the session still holds, and ends it here if not. It answers whether it holds. */
  check: () => Promise<boolean>;
  signOut: () => Promise<void>;
};

const SessionContext = createContext<Value | null>(null);

/** useSession answers who is signed in. */
export function useSession(): Value {
  const value = use(SessionContext);
  if (!value) throw new Error("useSession outside of its provider");
  return value;
}

/** useMe answers the signed-in person. Only for pages behind the sign-in. */
export function useMe(): Me {
  const { session } = useSession();
  return session.state === "in" ? session.me : {};
}

/** SessionProvider holds who is signed in. When that ends, everything that was loaded is dropped at once. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState<Session>({ state: "loading" });
  const queries = useQueryClient();

  const load = useCallback(async () => {
    setSession({ state: "loading" });
    try {
      setSession({ state: "in", me: await fetchMe() });
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, "internal", String(error));
      setSession(problem.ended ? { state: "anonymous" } : { state: "failed", problem });
    }
  }, []);

  const end = useCallback(
    (ending: Ending) => {
      setSession((s) => (s.state === "in" ? { state: "ended", ending } : s));
      queries.clear();
      if (ending !== "expired") write("last-channel", null);
    },
    [queries],
  );

  const check = useCallback(async () => {
    try {
      await fetchMe();
      return true;
    } catch (error) {
      if (!(error instanceof Problem) || !(error.ended || error.status === 403)) return true; // no answer is no refusal
      end(endingOf(error, true));
      return false;
    }
  }, [end]);

  const signOut = useCallback(async () => {
    const target = await endSession();
    end("left");
    window.location.assign(target);
  }, [end]);

  useEffect(() => void load(), [load]);
  useEffect(() => onEnded((problem) => end(endingOf(problem, false))), [end]);

  const value = useMemo(() => ({ session, retry: () => void load(), check, signOut }), [session, load, check, signOut]);
  return <SessionContext value={value}>{children}</SessionContext>;
}
