import { useQuery } from "@tanstack/react-query";
import { inbox } from "../api/inbox";
import { useMe } from "../session/session";

/** useUnread answers how many notices are not read; it asks once a minute. */
export function useUnread(): number {
  const me = useMe();
  const query = useQuery({ queryKey: ["inbox", "unread"], queryFn: ({ signal }) => inbox({ unread: "true", limit: 1 }, signal), refetchInterval: 60_000, enabled: !!me.person, retry: false });
  return query.data?.unread ?? 0;
}
