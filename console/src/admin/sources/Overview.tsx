import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { heardAt, traffic, type SourceDetail, type Traffic } from "../../api/sources";
import { useTexts } from "../../i18n";
import { Card, Code, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import styles from "../admin.module.css";

/** Overview says how a source stands: when it was heard, what it told, what is still missing, what nobody understands. */
export function Overview({ source }: { source: SourceDetail }) {
  const { t } = useTexts();
  const seen = useQuery({ queryKey: ["source", source.id, "traffic"], queryFn: ({ signal }) => traffic(source.id, signal), enabled: source.kind === "scim", refetchInterval: 15_000 });
  const c = source.counts;
  const facts: [string, ReactNode][] = [
    [t.source.heard, <When key="heard" at={heardAt(source)} fallback={t.sources.state.never} />],
    [t.source.people, c.records],
    [t.source.active, c.active],
    [t.source.groups, c.groups],
    ...(c.units > 0 || source.kind === "ldap" ? [[t.source.units, c.units] as [string, ReactNode]] : []),
    ...([
      [t.source.pendingMembers, c.pending_members],
      [t.source.pendingManagers, c.pending_managers],
      [t.source.pendingUnits, c.pending_units],
    ] as [string, number][]).filter(([, n]) => n > 0).map(([name, n]): [string, ReactNode] => [name, <Tag key={name} tone="warn">{String(n)}</Tag>]),
    [t.sources.priority, source.priority ?? "–"],
    ...(source.correlate?.length ? [[t.source.addCorrelate, source.correlate.map((by) => t.source.correlate[by as keyof typeof t.source.correlate] ?? by).join(", ")] as [string, ReactNode]] : []),
    ...(seen.data ? trafficFacts(seen.data, t) : []),
  ];
  return (
    <Section title={t.source.overview}>
      <Card>
        <dl className={styles.facts}>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Card>
      {seen.data && seen.data.strangers > 0 && <p className={`${styles.small} ${styles.gap}`}>{t.source.strangers(seen.data.strangers)}</p>}
    </Section>
  );
}

function trafficFacts(seen: Traffic, t: ReturnType<typeof useTexts>["t"]): [string, ReactNode][] {
  return [
    [t.source.traffic, <span key="n">{seen.requests} {seen.failed > 0 && <Tag tone="bad">{t.source.failedOf(seen.failed)}</Tag>}</span>],
    [t.source.limit, <span key="n">{t.source.limitText(seen.rate, seen.burst)} <span className={styles.small}>{t.source.limitHit(seen.limited)}</span></span>],
  ];
}

/** Ignored are the attributes a source sends that nobody understands. */
export function Ignored({ source }: { source: SourceDetail }) {
  const { t } = useTexts();
  const { data: seen } = useQuery({ queryKey: ["source", source.id, "traffic"], queryFn: ({ signal }) => traffic(source.id, signal) });
  if (!seen) return null;
  return (
    <>
      {seen.ignored.length > 0 && (
        <Section title={t.source.ignored} hint={t.source.ignoredHint}>
          <Card rows>
            {seen.ignored.slice(0, 20).map((i) => (
              <div key={i.attribute}>
                <div className={styles.line}>
                  <span className={styles.lineText}>
                    <Code>{i.attribute}</Code>
                  </span>
                  <span className={styles.small}>{t.source.ignoredTimes(i.requests)}</span>
                  <When at={i.last_at} />
                </div>
              </div>
            ))}
          </Card>
        </Section>
      )}
      {seen.dropped > 0 && <p className={`${styles.small} ${styles.gap}`}>{t.source.dropped(seen.dropped)}</p>}
    </>
  );
}
