import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Radio } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { link, separate, workItem, type Compared, type Saying, type Side, type WorkItemDetail } from "../../api/workitems";
import { useTexts, word } from "../../i18n";
import { Card, Page, Section } from "../../ui/page";
import { Avatar, StatusTags, Tag, When } from "../../ui/people";
import { Loaded, useProblemText } from "../../ui/states";
import { Name } from "../Name";
import { Effects } from "./Effects";
import admin from "../admin.module.css";
import styles from "./workitems.module.css";

/** WorkItemPage puts two people side by side and takes the decision, with what follows from it. */
export default function WorkItemPage({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["workitems", id], queryFn: ({ signal }) => workItem(id, signal) });
  const i = query.data;
  return (
    <Page
      title={t.review.question}
      tags={i && <Tag tone={i.state === "open" ? "warn" : "quiet"}>{word(t.review.state, i.state)}</Tag>}
      lead={i && word(t.review.kind, i.kind)}
      above={
        <Link className={admin.back} href="/admin/work-items">
          ‹ {t.review.title}
        </Link>
      }
    >
      <Loaded query={query}>
        {(item) => (
          <>
            {item.warnings.map((w) => (
              <p key={w} className={styles.warning}>
                {word(t.review.warning, w)}
              </p>
            ))}
            <div className={styles.sides}>
              <Person side={item.older_person} quarantined={item.quarantined} note={t.review.older} />
              <Person side={item.newer_person} quarantined={item.quarantined} note={item.source?.name ? t.review.newerBy(item.source.name) : t.review.newer} />
            </div>
            <Comparison item={item} />
            {item.state === "open" || item.state === "vanished" ? <Decision item={item} /> : <Decided item={item} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Person({ side: p, note, quarantined }: { side: Side; note: string; quarantined?: string[] }) {
  const { t } = useTexts();
  return (
    <Card>
      <div className={styles.side}>
        <div className={styles.sideHead}>
          <Avatar id={p.id} name={p.display_name || p.id} size={44} />
          <div>
            <div className={styles.sideName}>
              <Link href={`/admin/people/${p.id}`}>{p.display_name || p.id}</Link>
            </div>
            <div className={admin.small}>
              {note} · <When at={p.created_at} />
            </div>
          </div>
        </div>
        <StatusTags status={p.status} frozen={p.frozen} absent={p.absent} />
        {quarantined?.includes(p.id) && <Tag tone="bad">{t.words.freeze.quarantine}</Tag>}
        {p.records.map((r) => (
          <div key={r.link} className={`${admin.line} ${admin.small} ${styles.sideRecord}`}>
            <span className={admin.lineText}>{r.source?.name}</span>
            {r.deleted_at ? <Tag>{t.people.deleted}</Tag> : r.active === false ? <Tag tone="bad">{t.people.disabled}</Tag> : <Tag tone="good">{t.people.active}</Tag>}
          </div>
        ))}
        {p.records.length === 0 && <p className={admin.small}>{t.review.noRecords}</p>}
      </div>
    </Card>
  );
}

function Comparison({ item }: { item: WorkItemDetail }) {
  const { t } = useTexts();
  return (
    <Section title={t.review.comparison} hint={t.review.comparisonHint}>
      <Card>
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">{t.review.attribute}</th>
              <th scope="col">{t.review.older}</th>
              <th scope="col">{t.review.newer}</th>
            </tr>
          </thead>
          <tbody>
            {item.comparison.map((c: Compared) => (
              <tr key={c.name}>
                <td>
                  {word(t.review.field, c.name)} {c.same && <Tag tone="good">{t.review.same}</Tag>}
                </td>
                <Values sayings={c.older} />
                <Values sayings={c.newer} />
              </tr>
            ))}
          </tbody>
        </table>
      </Card>
    </Section>
  );
}

function Values({ sayings }: { sayings: Saying[] }) {
  return (
    <td>
      {sayings.length === 0 && "–"}
      {sayings.map((s) => (
        <div key={s.value}>
          {s.value} <span className={styles.says}>{s.sources.join(", ")}</span>
        </div>
      ))}
    </td>
  );
}

function Decision({ item }: { item: WorkItemDetail }) {
  const { t } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [keep, setKeep] = useState(item.older.id);
  const preview = useQuery({ queryKey: ["workitems", item.id, "preview", keep], queryFn: ({ signal }) => link(item.id, keep, true, signal), staleTime: 0 });
  const refresh = () => queries.invalidateQueries();
  const linking = useMutation({ mutationFn: () => link(item.id, keep, false), onSuccess: () => message.success(t.review.linked), onSettled: refresh });
  const separating = useMutation({ mutationFn: () => separate(item.id), onSuccess: () => message.success(t.review.separated), onSettled: refresh });
  const names = { [item.older.id]: item.older.display_name || item.older.id, [item.newer.id]: item.newer.display_name || item.newer.id };
  const error = linking.error ?? separating.error;
  return (
    <Section title={t.review.decide} hint={t.review.decideHint}>
      <Radio.Group value={keep} onChange={(e) => setKeep(String(e.target.value))} style={{ marginBottom: 12 }}>
        <Radio value={item.older.id}>{t.review.keep(names[item.older.id] ?? "", t.review.older)}</Radio>
        <Radio value={item.newer.id}>{t.review.keep(names[item.newer.id] ?? "", t.review.newer)}</Radio>
      </Radio.Group>
      <Loaded query={preview}>{(j) => <Effects joining={j} />}</Loaded>
      {error && (
        <p className={admin.alertTitle} role="alert">
          {textOf(error)}
        </p>
      )}
      <div className={admin.buttons}>
        <Button
          type="primary"
          loading={linking.isPending}
          onClick={() => modal.confirm({ title: t.review.linkTitle, content: t.review.linkText, okText: t.review.link, cancelText: t.shell.cancel, onOk: () => linking.mutate() })}
        >
          {t.review.link}
        </Button>
        <Button
          loading={separating.isPending}
          onClick={() => modal.confirm({ title: t.review.separateTitle, content: item.quarantined?.length ? t.review.separateFrees(item.quarantined.map((p) => names[p] ?? p).join(t.people.and)) : t.review.separateText, okText: t.review.separate, cancelText: t.shell.cancel, onOk: () => separating.mutate() })}
        >
          {t.review.separate}
        </Button>
      </div>
    </Section>
  );
}

function Decided({ item }: { item: WorkItemDetail }) {
  const { t } = useTexts();
  const kept = item.kept === item.newer.id ? item.newer : item.older;
  return (
    <Section title={word(t.review.state, item.state)}>
      <p>
        {item.state === "linked" ? t.review.wasLinked(kept.display_name || kept.id) : t.review.wasSeparated} <When at={item.closed_at} />{" "}
        {item.closed_by && item.closed_by !== "system" && <Name id={item.closed_by} />}
      </p>
      {item.state === "linked" && (
        <p className={admin.small}>
          <Link href={`/admin/people/${kept.id}`}>{t.review.splitHint}</Link>
        </p>
      )}
    </Section>
  );
}
