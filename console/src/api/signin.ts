import { useQuery } from "@tanstack/react-query";
import { call } from "./client";

/** Methods is how people sign in at this server. */
export type Methods = { oidc: boolean; password: boolean };

/** useMethods answers how people sign in; undefined until it is known. A server that cannot say is taken to have an identity provider. */
export function useMethods(): { methods: Methods | undefined } {
  const { data, isError } = useQuery({ queryKey: ["signin", "methods"], queryFn: ({ signal }) => call<Methods>("GET", "/auth/methods", { signal, quiet: true }), staleTime: Infinity, retry: 1 });
  return { methods: data ?? (isError ? { oidc: true, password: false } : undefined) };
}

/** signInWithPassword opens a session, and answers where to go then. It throws a Problem whose code says why not. */
export async function signInWithPassword(login: string, password: string, back: string): Promise<string> {
  const answer = await call<{ location: string }>("POST", "/auth/password", { body: { login, password, return_to: back }, quiet: true });
  return answer.location;
}
