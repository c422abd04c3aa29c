import { CheckCircleFilled, CloseCircleFilled, ExclamationCircleFilled, InfoCircleFilled } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Progress } from "antd";
import { useEffect, type ReactNode } from "react";
import { Link } from "wouter";
import { ldap, probe, type Ldap, type Probe, type Progress as How } from "../../../api/ldap";
import { syncSource, type SourceDetail } from "../../../api/sources";
import type { Finding } from "../../../api/health";
import { useTexts, word } from "../../../i18n";
import { Card, Code, Section } from "../../../ui/page";
import { Tag, When } from "../../../ui/people";
import { Loaded, useProblemText } from "../../../ui/states";
import { Took } from "../Health";
import styles from "../../admin.module.css";
import own from "../health.module.css";
import sheet from "../source.module.css";

/** Directory is an LDAP source's own part of its page: where it is, what it can do, reading it, its mapping. */
export function Directory({ source }: { source: SourceDetail }) {
  const query = useQuery({
    queryKey: ["source", source.id, "ldap"],
    queryFn: ({ signal }) => ldap(source.id, signal),
    refetchInterval: (q) => (q.state.data?.progress ? 700 : 10_000),
    retry: false,
  });
  if (source.health?.state === "unconfigured") return null;
  return (
    <Loaded query={query}>
      {(found) => (
        <>
          <ProbePart source={source} ldap={found} />
          <Sync source={source} progress={found.progress} />
          <ConnectionPart ldap={found} />
          <MappingPart source={source} ldap={found} />
        </>
      )}
    </Loaded>
  );
}

function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className={styles.facts}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function ConnectionPart({ ldap: { connection: c } }: { ldap: Ldap }) {
  const { t } = useTexts();
  const classes = (["person_classes", "unit_classes", "group_classes"] as const).filter((of) => c[of]?.length).map((of) => `${of}: ${c[of]?.join(", ")}`);
  const facts: [string, ReactNode][] = [
    [t.ldap.urls, <Lines key="urls" items={c.urls} note={c.urls.length > 1 ? t.ldap.urlsMore : ""} />],
    [t.ldap.secured, <Lines key="sec" items={[t.ldap.security[c.security]]} plain note={c.security === "plain" ? "" : c.own_ca ? t.ldap.ownCA : t.ldap.systemCA} />],
    [t.ldap.account, <Lines key="dn" items={[c.bind_dn]} note={t.ldap.accountHint} />],
    [t.ldap.base, <Code key="base">{c.base}</Code>],
    ...(c.id_attribute ? [[t.ldap.idAttribute, <Code key="id">{c.id_attribute}</Code>] as [string, ReactNode]] : []),
    ...(classes.length ? [[t.ldap.classes, <Lines key="classes" items={classes} note={classes.length < 3 ? t.ldap.classesHint : ""} />] as [string, ReactNode]] : []),
    ...(c.sentinel ? [[t.ldap.sentinel, <Code key="sentinel">{c.sentinel}</Code>] as [string, ReactNode]] : []),
    [t.ldap.pageSize, c.page_size],
  ];
  return (
    <Section title={t.ldap.directory} hint={t.ldap.inFile}>
      <Card>
        <Facts facts={facts} />
      </Card>
    </Section>
  );
}

function Lines({ items, note, plain }: { items: string[]; note?: string; plain?: boolean }) {
  return (
    <>
      {items.map((item) => (
        <div key={item}>{plain ? item : <Code>{item}</Code>}</div>
      ))}
      {note && <span className={styles.small}>{note}</span>}
    </>
  );
}

/** ProbePart is the report of looking around. Before the first reading it is made by itself. */
function ProbePart({ source, ldap: found }: { source: SourceDetail; ldap: Ldap }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const look = useMutation({
    mutationFn: () => probe(source.id),
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", source.id] }),
  });
  const report = look.data ?? found.probe;
  const first = !report && !look.error && source.health?.state === "never";
  const begin = look.mutate;
  useEffect(() => {
    if (first) begin();
  }, [first, begin]);
  return (
    <Section
      title={t.ldap.probe}
      hint={t.ldap.probeHint}
      more={
        <Button size="small" data-look loading={look.isPending} onClick={() => look.mutate()}>
          {report ? t.ldap.lookAgain : t.ldap.look}
        </Button>
      }
    >
      <div role="status" aria-live="polite">
        {look.error ? (
          <p className={styles.alertTitle} role="alert">
            {textOf(look.error)}
          </p>
        ) : report ? (
          <Report report={report} />
        ) : (
          look.isPending && <p className={styles.muted}>{t.ldap.looking}</p>
        )}
      </div>
    </Section>
  );
}

function Report({ report: r }: { report: Probe }) {
  const { t } = useTexts();
  const c = r.capabilities;
  const bad = r.findings.filter((f) => f.severity === "error").length;
  const mind = r.findings.length - bad;
  const reached = c.vendor !== "";
  const told = (code: string) => r.findings.some((f) => f.code === code);
  const facts: [string, ReactNode][] = [
    [t.ldap.vendor, word(t.ldap.vendors, c.vendor)],
    [t.ldap.tls, c.tls === "none" ? t.ldap.tlsNone : c.tls],
    [t.ldap.idAttribute, <Code key="id">{c.id_attribute}</Code>],
    [t.ldap.paging, c.paging ? t.ldap.pagingYes : t.ldap.pagingNo],
    [t.ldap.changes, c.content_sync && !told("no_syncprov") ? t.ldap.changesSync : c.position ? t.ldap.changesMark : t.ldap.changesNone],
    c.counts
      ? [t.ldap.counted, t.ldap.pageOf(c.counts["person"] ?? 0, c.counts["unit"] ?? 0, c.counts["group"] ?? 0) + (told("counted_part") || told("limited") ? t.ldap.andMore : "")]
      : [t.ldap.firstPage, t.ldap.pageOf(c.sample["person"] ?? 0, c.sample["unit"] ?? 0, c.sample["group"] ?? 0)],
    [t.ldap.latency, <Took key="ms" ms={Math.max(1, c.latency_ms)} />],
  ];
  return (
    <>
      <div className={`${styles.verdict} ${bad || !r.ok ? styles.verdictNo : styles.verdictYes}`} style={{ marginBottom: 14 }}>
        <span className={styles.verdictIcon}>{bad || !r.ok ? <CloseCircleFilled /> : <CheckCircleFilled />}</span>
        <div>
          <div className={styles.verdictText}>{bad || !r.ok ? t.ldap.bad(Math.max(1, bad)) : mind ? t.ldap.mind(mind) : t.ldap.good}</div>
          <div className={styles.verdictMore}>
            {t.ldap.looked} <When at={r.at} />
          </div>
        </div>
      </div>
      {(r.findings.length > 0 || reached) && (
        <Card rows>
          {[...r.findings].sort(bySeverity).map((f) => (
            <FindingLine key={f.code + f.text} finding={f} />
          ))}
          {reached && (
            <div style={{ padding: 0 }}>
              <Facts facts={facts} />
            </div>
          )}
        </Card>
      )}
    </>
  );
}

const ranks = ["error", "warning", "info"];
const bySeverity = (a: Finding, b: Finding) => ranks.indexOf(a.severity) - ranks.indexOf(b.severity);

/** selfEvident are the findings whose own text says no more than ours. */
const selfEvident = ["plain", "no_position", "members_hidden", "reference"];

/** FindingLine says one finding in words, with what to do; the server's own text stands below. */
export function FindingLine({ finding: f }: { finding: Finding }) {
  const { t } = useTexts();
  const texts: Record<string, { what: string; todo: string }> = t.ldap.finding;
  const say = texts[f.code];
  const Icon = f.severity === "error" ? CloseCircleFilled : f.severity === "warning" ? ExclamationCircleFilled : InfoCircleFilled;
  const tone = f.severity === "error" ? "bad" : f.severity === "warning" ? "warn" : "quiet";
  return (
    <div className={own.finding}>
      <span className={own[tone]} role="img" aria-label={word(t.ldap.severity, f.severity)}>
        <Icon />
      </span>
      <div>
        <span className={styles.strong}>{say?.what ?? f.text}</span> <Tag tone={tone === "quiet" ? "quiet" : tone}>{word(t.ldap.severity, f.severity)}</Tag>
        {say && <div>{say.todo}</div>}
        {say && !selfEvident.includes(f.code) && <div className={own.findingMore}>{f.text}</div>}
      </div>
    </div>
  );
}

/** Sync reads the directory now, and shows how far it is, whoever began it. */
function Sync({ source, progress }: { source: SourceDetail; progress?: How }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const sync = useMutation({
    mutationFn: () => syncSource(source.id),
    onMutate: () => window.setTimeout(() => void queries.invalidateQueries({ queryKey: ["source", source.id, "ldap"] }), 150),
    onSuccess: (s) => void message.success(t.ldap.synced(s.people, s.written), 6),
    onError: (error) => void message.error(textOf(error), 8),
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", source.id] }),
  });
  return (
    <div className={styles.gap}>
      <div className={styles.summary}>
        <Button type="primary" data-sync loading={sync.isPending} onClick={() => sync.mutate()}>
          {t.ldap.sync}
        </Button>
        <span className={`${styles.small} ${styles.summaryText}`}>{t.ldap.syncHint}</span>
      </div>
      {progress && <Bar progress={progress} />}
    </div>
  );
}

/** Bar is how far something has come; without a known end it only counts. */
export function Bar({ progress: p }: { progress: How }) {
  const { t } = useTexts();
  const part = p.total ? Math.min(100, Math.round((100 * p.done) / p.total)) : undefined;
  return (
    <div className={own.bar} role="status">
      <span className={styles.small}>
        {word(t.ldap.phase, p.phase)} · {word(t.ldap.class, p.class)}
      </span>
      <span className={`${styles.small} ${own.counts}`}>{t.ldap.progress(p.done, p.total)}</span>
      <Progress style={{ gridColumn: "1 / -1" }} percent={part ?? 100} status="active" showInfo={part !== undefined} size="small" aria-label={word(t.ldap.phase, p.phase)} />
    </div>
  );
}

function MappingPart({ source, ldap: { mapping } }: { source: SourceDetail; ldap: Ldap }) {
  const { t } = useTexts();
  const mine = mapping.fields.filter((f) => f.own).length;
  return (
    <Section title={t.ldap.mapping} hint={t.ldap.mappingHint}>
      <Card>
        <div className={sheet.mapping}>
          <span className={styles.summaryText}>{t.ldap.mappingOwn(mine, mapping.fields.length)}</span>
          <Link href={`/admin/sources/${source.id}/mapping`}>{t.ldap.mappingOpen}</Link>
        </div>
      </Card>
    </Section>
  );
}
