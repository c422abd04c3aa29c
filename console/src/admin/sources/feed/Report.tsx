import { CheckCircleFilled, EyeFilled } from "@ant-design/icons";
import { Alert, Button, Select, Table, type TableColumnsType } from "antd";
import { useState } from "react";
import { byGroup, effect, fields, withColumn, type ColumnMapping, type FeedCounts, type FeedDiff, type Foresight, type Report as What, type RowFinding } from "../../../api/feed";
import { useTexts, word } from "../../../i18n";
import { date, full, known } from "../../../i18n/time";
import { Card, Section } from "../../../ui/page";
import { Tag } from "../../../ui/people";
import { useGroupNames } from "../../groups/names";
import { Took } from "../Health";
import { useFieldName } from "./Feed";
import styles from "../../admin.module.css";
import own from "./feed.module.css";

/** Report is what a file did, or would do. */
export function Report({ report: r, again, saved, save }: { report: What; again: () => void; saved: ColumnMapping; save: (m: ColumnMapping) => void }) {
  const { t, locale } = useTexts();
  if (known(r.taken_before))
    return <Alert className={styles.gap} type="info" showIcon title={t.feed.before(full(r.taken_before, locale))} action={<Button onClick={again}>{t.feed.again}</Button>} />;
  const nothing = effect(r.counts) === 0;
  return (
    <div data-report>
      <div className={`${styles.verdict} ${r.preview ? "" : styles.verdictYes}`} style={{ marginBottom: 12, paddingLeft: r.preview ? 0 : undefined }}>
        <span className={styles.verdictIcon}>{r.preview ? <EyeFilled /> : <CheckCircleFilled />}</span>
        <div>
          <div className={styles.verdictText}>{nothing ? t.feed.nothing : r.preview ? t.feed.preview : t.feed.applied}</div>
          <div className={styles.verdictMore}>
            {word(t.feed.kinds, r.kind)} · {r.format} · <Took ms={r.seconds * 1000} /> · {r.complete ? t.feed.complete : t.feed.incomplete}
          </div>
        </div>
      </div>
      {r.mode === "dry_run" && <p className={styles.muted} style={{ marginBottom: 12 }}>{t.feed.dryRun}</p>}
      <Card>
        <Counts counts={r.counts} />
      </Card>
      {(r.held ?? []).length > 0 && (
        <Alert className={styles.gap} type="warning" showIcon title={r.preview ? t.feed.wouldHold : t.feed.holds} description={(r.held ?? []).map((h) => t.holds.causeOf(word(t.holds.cause, h.cause), h.people)).join(" · ")} />
      )}
      {r.unknown_columns.length > 0 && <Unknown columns={r.unknown_columns} saved={saved} save={save} />}
      {r.refused.length > 0 && <Findings title={t.feed.refused} hint={t.feed.refusedHint} items={r.refused} />}
      {(r.losses ?? []).length > 0 && <Foreseen title={t.feed.losses} list={r.losses ?? []} sign="−" at={t.feed.lossAt} />}
      {(r.gains ?? []).length > 0 && <Foreseen title={t.feed.gains} list={r.gains ?? []} sign="+" at={t.feed.gainAt} />}
      {r.people.length > 0 && <People items={r.people} />}
      {r.notes.length > 0 && <Findings title={t.feed.notes} hint={t.feed.notesHint} items={r.notes} />}
      {r.people.length >= 1000 && <p className={`${styles.small} ${styles.gap}`}>{t.feed.first}</p>}
    </div>
  );
}

function Counts({ counts: c }: { counts: FeedCounts }) {
  const { t } = useTexts();
  const shown: [keyof typeof t.feed.count, number, string | undefined][] = [
    ["rows", c.rows, undefined],
    ["new", c.new, styles.plus],
    ["changed", c.changed, undefined],
    ["ended", c.ended, styles.minus],
    ["deleted", c.deleted, styles.minus],
    ["absent", c.absent, styles.minus],
    ["units", c.units, undefined],
    ["unchanged", c.unchanged, undefined],
    ["refused", c.refused, styles.minus],
  ];
  return (
    <div className={own.tally}>
      {shown.map(([name, n, tone]) => (
        <div key={name}>
          <div className={`${own.number} ${n ? (tone ?? "") : own.zero}`}>{n}</div>
          <div className={styles.small}>{t.feed.count[name]}</div>
        </div>
      ))}
    </div>
  );
}

/** Findings are rows with a reason. */
export function Findings({ title, hint, items }: { title: string; hint: string; items: RowFinding[] }) {
  const { t } = useTexts();
  const columns: TableColumnsType<RowFinding> = [
    { title: t.feed.line, key: "line", width: 70, align: "right", render: (_, f) => f.row ?? f.line ?? "–" },
    { title: t.feed.number, key: "key", width: 120, render: (_, f) => f.key ?? "–" },
    { title: t.feed.column, key: "column", width: 140, render: (_, f) => f.column ?? "–" },
    {
      title: t.feed.reason,
      key: "reason",
      render: (_, f) => (
        <span className={own.remark}>
          {word(t.feed.why, f.code)}
          <span className={styles.small}>{f.text}</span>
        </span>
      ),
    },
    ...(items.some((f) => f.value) ? [{ title: t.feed.value, key: "value", width: 170, render: (_: unknown, f: RowFinding) => <span className={own.value}>{f.value}</span> }] : []),
  ];
  return (
    <Section title={title} hint={hint}>
      <Table<RowFinding> size="small" rowKey={(f) => `${f.line ?? ""} ${f.row ?? ""} ${f.column ?? ""} ${f.code} ${f.key ?? ""}`} columns={columns} dataSource={items} tableLayout="fixed" scroll={{ x: 720 }} pagination={items.length > 10 ? { pageSize: 10, showSizeChanger: false, size: "small" } : false} />
    </Section>
  );
}

const tones: Record<string, "good" | "warn" | "bad" | "accent"> = { new: "good", back: "good", changed: "accent", ended: "bad", deleted: "bad", absent: "warn" };

function People({ items }: { items: FeedDiff[] }) {
  const { t } = useTexts();
  const nameOf = useFieldName();
  const plain = usePlain();
  const columns: TableColumnsType<FeedDiff> = [
    { title: t.feed.line, key: "line", width: 70, align: "right", render: (_, d) => d.line || "–" },
    {
      title: t.feed.person,
      key: "person",
      width: 200,
      render: (_, d) => (
        <span className={own.remark}>
          {d.name || d.key}
          <span className={styles.small}>{d.key}</span>
        </span>
      ),
    },
    { title: "", key: "outcome", width: 100, render: (_, d) => <Tag tone={tones[d.outcome]}>{word(t.feed.outcome, d.outcome)}</Tag> },
    {
      title: t.feed.differs,
      key: "fields",
      render: (_, d) =>
        (d.fields ?? []).map((f) => (
          <div key={f.field}>
            <span className={styles.small}>{nameOf(f.field)}</span> {d.outcome !== "new" && <span className={own.was}>{plain(f.before)} → </span>}
            {plain(f.now)}
          </div>
        )),
    },
  ];
  return (
    <Section title={t.feed.people}>
      <Table<FeedDiff> size="small" rowKey="key" columns={columns} dataSource={items} tableLayout="fixed" scroll={{ x: 720 }} pagination={items.length > 10 ? { pageSize: 10, showSizeChanger: false, size: "small" } : false} />
    </Section>
  );
}

type Planned = { At?: string; at?: string; Set?: Record<string, string>; set?: Record<string, string> };

/** usePlain answers a value of a record in words: dates, lists, and what is planned for a day to come. */
function usePlain(): (v: unknown) => string {
  const { t, locale } = useTexts();
  const nameOf = useFieldName();
  const plain = (v: unknown): string => {
    if (v === null || v === undefined || v === "") return "–";
    if (typeof v === "boolean") return v ? t.words.yes : t.words.no;
    if (typeof v === "string") return /^\d{4}-\d\d-\d\dT/.test(v) ? (known(v) ? date(v, locale) : "–") : v;
    if (Array.isArray(v)) return v.map(plain).join("; ") || "–";
    if (typeof v === "object") {
      const p = v as Planned & { value?: unknown; Value?: unknown };
      const at = p.at ?? p.At;
      const set = p.set ?? p.Set;
      if (at && set) return t.feed.planned(Object.entries(set).map(([field, value]) => `${nameOf(field)} ${value || "–"}`).join(", "), date(at, locale));
      if (p.value !== undefined || p.Value !== undefined) return plain(p.value ?? p.Value);
    }
    return JSON.stringify(v);
  };
  return plain;
}

/** Foreseen are memberships that would end or begin, by project group. */
function Foreseen({ title, list: changes, sign, at }: { title: string; list: Foresight[]; sign: "−" | "+"; at: (date: string) => string }) {
  const { t, locale } = useTexts();
  const called = useGroupNames();
  return (
    <Section title={title}>
      <Card rows>
        <div className={styles.chips}>
          {byGroup(changes).map(([group, n]) => (
            <span key={group} className={styles.chip}>
              {called(group)} <span className={sign === "+" ? styles.plus : styles.minus}>
                {sign}
                {n}
              </span>
            </span>
          ))}
        </div>
        {changes.slice(0, 10).map((l) => (
          <div key={`${l.person} ${l.group} ${l.at ?? ""}`}>
            {l.name} · {called(l.group)} <span className={styles.small}>{[word(t.words.role, l.role), known(l.at) ? at(date(l.at, locale)) : ""].filter(Boolean).join(" · ")}</span>
          </div>
        ))}
      </Card>
    </Section>
  );
}

/** Unknown are columns that nobody knows, to be told what they are. */
function Unknown({ columns, saved, save }: { columns: string[]; saved: ColumnMapping; save: (m: ColumnMapping) => void }) {
  const { t } = useTexts();
  const nameOf = useFieldName();
  const [chosen, setChosen] = useState<Record<string, string>>({});
  const told = Object.values(chosen).some(Boolean);
  return (
    <Section title={t.feed.unknown} hint={t.feed.unknownHint}>
      <Card rows>
        {columns.map((heading) => (
          <div key={heading} className={own.unknown}>
            <span>{heading}</span>
            <Select<string>
              aria-label={heading}
              value={chosen[heading] || undefined}
              placeholder={t.feed.choose}
              onChange={(field) => setChosen({ ...chosen, [heading]: field })}
              options={[{ value: "-", label: t.feed.ignore }, { value: `label.${slug(heading)}`, label: nameOf(`label.${slug(heading)}`) }, ...fields.map((value) => ({ value, label: nameOf(value) }))]}
            />
          </div>
        ))}
      </Card>
      <div className={styles.buttons}>
        <Button disabled={!told} onClick={() => save(Object.entries(chosen).reduce((m, [heading, field]) => withColumn(m, heading, field), saved))}>
          {t.feed.save}
        </Button>
      </div>
    </Section>
  );
}

const slug = (heading: string) => heading.trim().toLowerCase().replace(/\s+/g, "_");
