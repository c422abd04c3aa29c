import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Input, Select, TreeSelect, type TableColumnsType } from "antd";
import { useEffect, useMemo, useState } from "react";
import { useSearchParams } from "wouter";
import { people, units, type PersonRow, type Status, type Unit } from "../../api/people";
import { nameIn, useTexts, word, type Locale } from "../../i18n";
import { Page } from "../../ui/page";
import { StatusTags, Who } from "../../ui/people";
import { chosen, Paged } from "../Paged";
import styles from "../admin.module.css";

const statuses: Status[] = ["active", "pending", "leave", "notice", "terminated", "anonymised"];

type Node = { value: string; title: string; children: Node[] };

/** tree answers the units as a tree; one whose parent is not there stands at the top. */
export function tree(rows: Unit[], locale: Locale): Node[] {
  const nodes = new Map<string, Node>(rows.map((u) => [u.id, { value: u.id, title: nameIn(locale, u.names, u.name ?? u.key ?? u.id), children: [] }]));
  const roots: Node[] = [];
  for (const u of rows) {
    const node = nodes.get(u.id);
    const parent = u.parent && u.parent !== u.id ? nodes.get(u.parent) : undefined;
    if (node) (parent?.children ?? roots).push(node);
  }
  return roots;
}

/** PeoplePage lists people: found by the server, a page at a time. What is chosen stands in the address. */
export default function PeoplePage() {
  const { t, locale } = useTexts();
  const [query, setQuery] = useSearchParams();
  const q = query.get("q") ?? "";
  const frozen = query.get("frozen") === "true";
  const status = query.get("status") ?? "";
  const unit = query.get("unit") ?? "";
  const [typed, setTyped] = useState(q);
  const [cursors, setCursors] = useState<string[]>([]); // of the pages before this one and this one
  const cursor = cursors.at(-1) ?? "";

  const choose = (name: string, value: string | undefined) => {
    setCursors([]);
    setQuery(
      (old) => {
        if (name !== "status") return chosen(old, name, value);
        const frozen = value === "frozen"; // both stand in one choice
        return chosen(chosen(old, "frozen", frozen ? "true" : undefined), "status", frozen ? undefined : value);
      },
      { replace: true },
    );
  };
  useEffect(() => {
    if (typed === q) return;
    const timer = window.setTimeout(() => choose("q", typed.trim()), 250);
    return () => window.clearTimeout(timer);
  });

  const found = useQuery({
    queryKey: ["people", { q, status, frozen, unit, cursor }],
    queryFn: ({ signal }) => people({ q, status, frozen: frozen ? "true" : "", unit, cursor, limit: 50 }, signal),
    placeholderData: keepPreviousData,
  });
  const all = useQuery({ queryKey: ["units"], queryFn: ({ signal }) => units(signal), staleTime: 60_000 });
  const nodes = useMemo(() => tree(all.data?.items ?? [], locale), [all.data, locale]);

  const columns: TableColumnsType<PersonRow> = [
    { title: t.people.name, key: "name", render: (_, p) => <Who id={p.id} name={p.display_name} note={p.email || p.user_name} link /> },
    { title: t.people.jobTitle, key: "title", render: (_, p) => p.title || "–", responsive: ["md"] },
    { title: t.people.unit, key: "unit", render: (_, p) => nameIn(locale, p.unit?.names, p.unit?.name || p.department || "–"), responsive: ["sm"] },
    { title: t.people.status, key: "status", render: (_, p) => <StatusTags status={p.status} frozen={p.frozen} absent={p.absent} /> },
  ];

  return (
    <Page title={t.people.title} lead={t.people.lead}>
      <div className={styles.filters}>
        <Input.Search className={styles.search} allowClear placeholder={t.people.search} aria-label={t.people.search} value={typed} onChange={(e) => setTyped(e.target.value)} onSearch={(v) => choose("q", v.trim())} />
        <Select className={styles.select} aria-label={t.people.status} value={frozen ? "frozen" : status} onChange={(v) => choose("status", v)} options={[{ value: "", label: t.people.anyStatus }, ...statuses.map((s) => ({ value: s as string, label: word(t.words.status, s) })), { value: "frozen", label: t.people.frozenOnly }]} />
        <TreeSelect className={styles.wide} aria-label={t.people.unit} allowClear showSearch={{ treeNodeFilterProp: "title" }} placeholder={t.people.anyUnit} value={unit || undefined} onChange={(v?: string) => choose("unit", v)} treeData={nodes} treeDefaultExpandAll popupMatchSelectWidth={320} />
      </div>
      <Paged found={found} columns={columns} path="/admin/people" empty={{ title: t.people.nobody, hint: t.people.nobodyHint }} cursors={cursors} setCursors={setCursors} />
    </Page>
  );
}
