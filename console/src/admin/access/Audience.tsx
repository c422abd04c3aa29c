import { useQuery } from "@tanstack/react-query";
import { Input, Table, type TableColumnsType } from "antd";
import { useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { audience, type AudienceEntry } from "../../api/access";
import { useTexts, word } from "../../i18n";
import { full, known } from "../../i18n/time";
import { Reasons, Tag, When, Who } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { ChooseChannel } from "./choose";
import { ChooseInstant } from "./When";
import styles from "../admin.module.css";

const rank: Record<string, number> = { owner: 0, participant: 1, collaborator: 2, vendor: 3 };

/** Audience is everybody who sees a channel, each with the reason. */
export function Audience() {
  const { t } = useTexts();
  const [query, setQuery] = useSearchParams();
  const channel = query.get("channel") ?? "";
  const at = query.get("at") ?? "";
  const choose = (next: { channel: string; at: string }) => setQuery(Object.fromEntries(Object.entries(next).filter(([, v]) => v)), { replace: true });
  const found = useQuery({ queryKey: ["audience", channel, at], queryFn: ({ signal }) => audience(channel, at, signal), enabled: channel !== "" });
  return (
    <>
      <div className={styles.filters}>
        <ChooseChannel value={channel} onChange={(id) => choose({ channel: id ?? "", at })} />
        <ChooseInstant value={at} onChange={(v) => choose({ channel, at: v })} />
      </div>
      {at && <p className={styles.small} style={{ marginBottom: 12 }}>{t.access.atHint}</p>}
      {channel ? <Loaded query={found}>{(page) => <List entries={page.items} channel={channel} at={at} />}</Loaded> : <Empty title={t.access.byChannel} hint={t.access.chooseHint} />}
    </>
  );
}

function List({ entries, channel, at }: { entries: AudienceEntry[]; channel: string; at: string }) {
  const { t, locale } = useTexts();
  const [typed, setTyped] = useState("");
  const shown = useMemo(() => {
    const needle = typed.trim().toLowerCase();
    return entries
      .filter((e) => !needle || (e.person?.display_name ?? "").toLowerCase().includes(needle))
      .sort((a, b) => (rank[a.role ?? ""] ?? 9) - (rank[b.role ?? ""] ?? 9) || (a.person?.display_name ?? "").localeCompare(b.person?.display_name ?? ""));
  }, [entries, typed]);
  if (entries.length === 0) return <Empty title={t.access.nobody} />;
  const columns: TableColumnsType<AudienceEntry> = [
    { title: t.access.name, key: "name", render: (_, e) => (e.person ? <Who id={e.person.id} name={e.person.display_name} link /> : "–") },
    {
      title: t.access.role,
      key: "role",
      render: (_, e) => (
        <>
          {word(t.words.role, e.role)} {e.held && <Tag tone="warn">{t.words.held}</Tag>}
        </>
      ),
    },
    { title: t.access.why, key: "why", render: (_, e) => <Reasons reasons={e.reasons} /> },
    {
      title: t.access.since,
      key: "since",
      render: (_, e) => (
        <>
          <When at={e.since} day />
          {known(e.past?.until) && <div className={styles.small}>{t.words.until(full(e.past.until, locale))}</div>}
          {e.past && <div className={styles.small}>{t.access.revision(e.past.revision)}</div>}
        </>
      ),
      responsive: ["md"],
    },
    { title: "", key: "path", align: "right", render: (_, e) => e.person && <Link href={`/admin/access/explain?person=${e.person.id}&channel=${channel}${at && `&at=${encodeURIComponent(at)}`}`}>{t.access.show}</Link>, responsive: ["sm"] },
  ];
  return (
    <>
      <div className={styles.summary}>
        <span className={styles.summaryText}>
          <span className={styles.strong}>{t.words.people(entries.length)}</span>
          {!at && <span className={styles.muted}> · {t.access.onlyWhoSees}</span>}
        </span>
        {entries.length > 8 && <Input allowClear style={{ maxWidth: 240 }} value={typed} onChange={(e) => setTyped(e.target.value)} placeholder={t.access.filter} aria-label={t.access.filter} />}
      </div>
      <Table<AudienceEntry> rowKey={(e) => e.person?.id ?? JSON.stringify(e)} columns={columns} dataSource={shown} pagination={{ pageSize: 50, hideOnSinglePage: true, showSizeChanger: false }} />
    </>
  );
}
