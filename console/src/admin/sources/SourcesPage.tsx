import { useQuery } from "@tanstack/react-query";
import { Table, type TableColumnsType } from "antd";
import { Link } from "wouter";
import { endsSoon, heardAt, sources, type Source } from "../../api/sources";
import { useTexts, word } from "../../i18n";
import { Page } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { AddSource } from "./AddSource";
import styles from "../admin.module.css";

/** SourcesPage lists the systems that say who works here. */
export default function SourcesPage() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal) });
  return (
    <Page title={t.sources.title} lead={t.sources.lead} actions={<AddSource />}>
      <Loaded query={query}>{(page) => (page.items.length === 0 ? <Empty title={t.sources.none} hint={t.sources.noneHint} /> : <List items={page.items} />)}</Loaded>
    </Page>
  );
}

function List({ items }: { items: Source[] }) {
  const { t } = useTexts();
  const has = (key: keyof Source) => items.some((s) => s[key] !== undefined && s[key] !== null);
  const columns: TableColumnsType<Source> = [
    {
      title: t.sources.name,
      key: "name",
      render: (_, s) => (
        <>
          <Link className={styles.strong} href={`/admin/sources/${s.id}`}>{s.name ?? s.id}</Link> {s.advisory && <Tag>{t.sources.advisory}</Tag>} {s.mode && s.mode !== "live" && <Tag tone="warn">{word(t.source.mode, s.mode)}</Tag>} {(s.tokens ?? []).some((token) => endsSoon(token) !== undefined) && <Tag tone="warn">{t.sources.tokenEnds}</Tag>} {s.last_error && <Tag tone="bad">{t.sources.state.failed}</Tag>}
          {s.last_error && <div className={styles.small}>{s.last_error}</div>}
        </>
      ),
    },
    { title: t.sources.kind, key: "kind", render: (_, s) => word(t.words.source, s.kind) },
    { title: t.sources.priority, key: "priority", align: "right", render: (_, s) => s.priority ?? "–" },
    ...(has("records") ? [{ title: t.sources.records, key: "records", align: "right" as const, render: (_: unknown, s: Source) => s.records ?? "–" }] : []),
    { title: t.sources.lastSync, key: "heard", render: (_, s) => <When at={heardAt(s)} fallback={t.sources.state.never} /> },
    { title: t.sources.created, key: "created", render: (_, s) => <When at={s.created_at} day />, responsive: ["sm"] },
  ];
  return <Table<Source> rowKey="id" columns={columns} dataSource={[...items].sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))} pagination={false} />;
}
