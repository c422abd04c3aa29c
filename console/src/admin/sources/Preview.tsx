import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, App as AntApp, Button, Select, Table, type TableColumnsType } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { discard, goLive, preview, previewKinds, type Preview as What, type PreviewKind, type PreviewLine } from "../../api/preview";
import type { Source } from "../../api/sources";
import { useTexts, word } from "../../i18n";
import { full, known } from "../../i18n/time";
import { Card, Section } from "../../ui/page";
import { Tag, Who } from "../../ui/people";
import { Empty, Loaded, useProblemText, More } from "../../ui/states";
import { useGroupNames } from "../groups/names";
import styles from "../admin.module.css";

/** Preview is what would happen if a source in its dry run went live, with the two ways out of it. A live source has none. */
export function Preview({ source }: { source: Source }) {
  const { t } = useTexts();
  if (source.mode === "going_live") return <Alert type="info" showIcon title={t.source.mode.going_live} description={t.preview.goingLiveText} />;
  return source.mode === "dry_run" || source.mode === "discarding" ? <DryRun source={source} /> : null;
}

function DryRun({ source }: { source: Source }) {
  const { t } = useTexts();
  const [kind, setKind] = useState<PreviewKind>();
  const summary = useQuery({ queryKey: ["preview", source.id], queryFn: ({ signal }) => preview(source.id, undefined, undefined, signal), enabled: source.mode === "dry_run" });
  const shown = summary.data;
  return (
    <Section title={t.preview.title} hint={t.preview.hint} more={<Ways source={source} hash={shown?.hash} />}>
      {source.mode === "dry_run" && (
        <Loaded query={summary}>
          {(what) =>
            what.stage.records === 0 ? (
              <Card>
                <Empty title={t.preview.nothing} hint={t.preview.nothingHint} />
              </Card>
            ) : (
              <>
                <Counts what={what} pick={setKind} />
                <Notices what={what} />
                <Effects what={what} />
                <Select<PreviewKind | "">
                  className={`${styles.gap} ${styles.wide}`}
                  aria-label={t.preview.person}
                  value={kind ?? ""}
                  onChange={(value) => setKind(value === "" ? undefined : value)}
                  options={[{ value: "", label: t.preview.all }, ...previewKinds.map((k) => ({ value: k, label: t.preview.kind[k] }))]}
                />
                <Lines source={source} kind={kind} />
              </>
            )
          }
        </Loaded>
      )}
    </Section>
  );
}

/** Ways are the two ends of a dry run; both ask first. Going live names what was shown. */
function Ways({ source, hash }: { source: Source; hash?: string }) {
  const { t } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const name = source.name ?? source.id;
  const ask = (title: string, content: string, okText: string, danger: boolean, act: () => Promise<void>) =>
    modal.confirm({
      title,
      content,
      okText,
      okButtonProps: { danger },
      cancelText: t.shell.cancel,
      onOk: async () => {
        try {
          await act();
        } catch (error) {
          void message.error(textOf(error));
        }
        await queries.invalidateQueries();
      },
    });
  const live = async () => {
    const answer = await goLive(source.id, hash ?? "");
    void message.success(answer.verdict?.held ? t.preview.liveHeld : t.preview.liveDone);
  };
  const remove = async () => {
    await discard(source.id);
    void message.success(t.preview.discardDone);
    go("/admin/sources");
  };
  return (
    <span className={styles.buttons}>
      <Button danger onClick={() => ask(t.preview.discardTitle(name), t.preview.discardText, t.preview.discard, true, remove)}>
        {t.preview.discard}
      </Button>
      {source.mode === "dry_run" && (
        <Button type="primary" disabled={!hash} onClick={() => ask(t.preview.liveTitle(name), t.preview.liveText, t.preview.live, false, live)}>
          {t.preview.live}
        </Button>
      )}
    </span>
  );
}

function Counts({ what, pick }: { what: What; pick: (kind: PreviewKind) => void }) {
  const { t } = useTexts();
  const s = what.summary;
  if (!s) return null;
  const counts: [PreviewKind, number, string, string][] = [
    ["new", s.new, "", t.preview.count.new],
    ["joined", s.joined, "", t.preview.count.joined],
    ["changed", s.changed, "", t.preview.count.changed],
    ["frozen", s.frozen, styles.minus ?? "", t.preview.count.frozen],
    ["gained", s.gained, styles.plus ?? "", t.preview.count.gained],
    ["lost", s.lost, styles.minus ?? "", t.preview.count.lost],
  ];
  return (
    <Card>
      <div className={styles.tally}>
        {counts.map(([kind, n, tone, text]) => (
          <button key={kind} type="button" className={styles.version} style={{ width: "auto" }} onClick={() => pick(kind)}>
            <div className={`${styles.tallyNumber} ${n ? tone : ""}`}>{n}</div>
            <div className={styles.small}>{text}</div>
          </button>
        ))}
      </div>
    </Card>
  );
}

function Notices({ what }: { what: What }) {
  const { t } = useTexts();
  const s = what.summary;
  if (!s) return null;
  const say = t.preview.notice;
  const lines: [number, (n: number) => string][] = [
    [s.lifted, say.lifted],
    [s.arriving_frozen, say.arriving],
    [s.roles, say.roles],
    [s.doubles, say.doubles],
    [s.quarantined ?? 0, say.quarantined],
    [s.conflicts, say.conflicts],
    [s.pending, say.pending],
    [what.stage.members_pending, say.members],
    [s.failed, say.failed],
  ];
  return (
    <>
      <p className={`${styles.gap} ${styles.muted}`}>{t.preview.staged(what.stage.records, what.stage.groups, what.stage.units)}</p>
      {lines.filter(([n]) => n > 0).map(([n, text]) => <p key={text(0)} className={styles.muted}>{text(n)}</p>)}
      {what.verdict?.held && (
        <Alert
          className={styles.gap}
          type="warning"
          showIcon
          title={t.preview.held}
          description={
            <>
              {t.preview.heldHint}
              {what.verdict.reasons.map((r) => <div key={r}>{r}</div>)}
            </>
          }
        />
      )}
    </>
  );
}

function Effects({ what }: { what: What }) {
  const nameOf = useGroupNames();
  const list = what.summary?.groups ?? [];
  if (list.length === 0) return null;
  return (
    <div className={`${styles.gap} ${styles.chips}`}>
      {list.map((g) => {
        const lost = Object.values(g.lost).reduce((a, b) => a + b, 0);
        return (
          <span key={g.group} className={styles.chip}>
            {nameOf(g.group)} {g.gained > 0 && <span className={styles.plus}>+{g.gained}</span>} {lost > 0 && <span className={styles.minus}>−{lost}</span>}
          </span>
        );
      })}
    </div>
  );
}

function Lines({ source, kind }: { source: Source; kind?: PreviewKind }) {
  const { t } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ["preview", source.id, "lines", kind ?? ""],
    queryFn: ({ pageParam, signal }) => preview(source.id, kind, pageParam || undefined, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const columns: TableColumnsType<PreviewLine> = [
    { title: t.preview.person, key: "person", render: (_, l) => <Who id={l.link} name={l.display_name} note={l.user_name} /> },
    { title: t.preview.identity, key: "identity", render: (_, l) => <Identity line={l} /> },
    { title: t.preview.effect, key: "effect", render: (_, l) => <Effect line={l} /> },
  ];
  return (
    <Loaded query={query}>
      {(data) => {
        const items = data.pages.flatMap((page) => page.items);
        return items.length === 0 ? (
          <Empty title={t.preview.nobody} />
        ) : (
          <>
            <Table<PreviewLine> className={styles.gap} size="small" rowKey="link" columns={columns} dataSource={items} pagination={false} />
            <More query={query} text={t.preview.more} />
          </>
        );
      }}
    </Loaded>
  );
}

/** Identity says who a record would be: somebody new, or whom it joins and by what. */
function Identity({ line: l }: { line: PreviewLine }) {
  const { t } = useTexts();
  return (
    <>
      {l.joins ? (
        <>
          <Tag tone="accent">{t.preview.joins}</Tag> <Who id={l.joins.id} name={l.joins.display_name} note={word(t.preview.by, l.by)} link />
        </>
      ) : (
        <Tag tone="good">{t.preview.isNew}</Tag>
      )}
      {l.conflict && <div className={styles.small}>{word(t.preview.conflict, l.conflict)}</div>}
      {l.doubles.map((d) => (
        <div key={d.person.id + d.by} className={styles.small}>
          {word(t.preview.double, d.by)} <Who id={d.person.id} name={d.person.display_name} link />
        </div>
      ))}
    </>
  );
}

const ahead = (at?: string): at is string => known(at) && Date.parse(at) > Date.now();
const plain = (v: unknown): string => (v === null || v === undefined || v === "" ? "–" : typeof v === "string" ? v : JSON.stringify(v));

/** Effect says what a record would do. */
function Effect({ line: l }: { line: PreviewLine }) {
  const { t, locale } = useTexts();
  const nameOf = useGroupNames();
  if (l.changes.length + l.freezes.length + l.memberships.length + l.pending.length === 0 && !l.failure) return <span className={styles.muted}>{t.preview.noEffect}</span>;
  return (
    <>
      {l.freezes.map((f) => (
        <div key={f.op + f.cause + (f.from ?? "")}>
          {f.op === "open" && ahead(f.from) ? <Tag tone="warn">{t.preview.freezeLater}</Tag> : <Tag tone={f.op === "open" ? "bad" : "good"}>{f.op === "open" ? t.preview.freeze : t.preview.unfreeze}</Tag>}{" "}
          <span className={styles.small}>
            {word(t.words.freeze, f.cause)}
            {ahead(f.from) && `, ${t.people.from(full(f.from, locale))}`}
          </span>
        </div>
      ))}
      {l.memberships.map((m) => (
        <div key={m.group}>
          <Tag tone={m.op === "remove" ? "bad" : m.op === "add" ? "good" : "accent"}>{word(t.policies.op, m.op)}</Tag> {nameOf(m.group)} <span className={styles.small}>{[m.from_role, m.role].filter(Boolean).map((r) => word(t.words.role, r)).join(" → ")}</span>
        </div>
      ))}
      {l.changes.map((c) => (
        <div key={c.field} className={styles.small}>
          {word(t.preview.field, c.field)}: {plain(c.before)} <span className={styles.arrow}>→</span> {plain(c.after)}
        </div>
      ))}
      {l.pending.map((p) => <div key={p} className={styles.small}>{word(t.preview.unknown, p)}</div>)}
      {l.failure && <div className={styles.small}>{l.failure}</div>}
    </>
  );
}
