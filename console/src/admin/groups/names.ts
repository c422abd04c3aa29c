import { useQuery } from "@tanstack/react-query";
import { groups } from "../../api/groups";
import { nameIn, useTexts } from "../../i18n";

/** useGroupNames answers what project groups are called, by key or id. */
export function useGroupNames(): (key: string) => string {
  const { locale } = useTexts();
  const all = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  const names = new Map((all.data?.items ?? []).flatMap((g) => [g.key ?? g.id, g.id].map((k): [string, string] => [k, nameIn(locale, g.name, g.key)])));
  return (key) => names.get(key) ?? key;
}

/** useChannelNames answers what channels of project groups are called, by the keys of both. */
export function useChannelNames(): (group: string, key: string) => string {
  const { locale } = useTexts();
  const all = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  const names = new Map((all.data?.items ?? []).flatMap((g) => (g.channels ?? []).map((c): [string, string] => [`${g.key}/${c.key}`, nameIn(locale, c.name, c.key)])));
  return (group, key) => names.get(`${group}/${key}`) ?? key;
}
