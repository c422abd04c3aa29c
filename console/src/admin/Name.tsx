import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { person } from "../api/people";
import { sources } from "../api/sources";
import { useTexts } from "../i18n";

/** Name is what an id stands for: as the answer says, else asked for where it is a person or a source, else the id. */
export function Name({ id, known, plain }: { id: string; known?: string; plain?: boolean }) {
  const { t } = useTexts();
  const isPerson = id.startsWith("per_");
  const who = useQuery({ queryKey: ["person", id], queryFn: ({ signal }) => person(id, signal), enabled: isPerson && !known, staleTime: 300_000, retry: false });
  const all = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal), enabled: id.startsWith("src_") && !known });
  if (!id || id === "system") return <>{t.audit.system}</>;
  if (id === "anonymous") return <>{t.audit.anonymous}</>;
  const name = known || who.data?.display_name || all.data?.items.find((s) => s.id === id)?.name || (id.startsWith("tok_") ? t.audit.token : id);
  return isPerson && !plain ? <Link href={`/admin/people/${id}`}>{name}</Link> : <span title={id}>{name}</span>;
}
