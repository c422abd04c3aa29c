import { useQueries, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { audit, looked } from "../../api/audit";
import { holds, isOpen, size } from "../../api/holds";
import { people, type Status } from "../../api/people";
import { heardAt, sources } from "../../api/sources";
import { workItemGroups } from "../../api/workitems";
import { useTexts, word } from "../../i18n";
import { Card, Page, Section } from "../../ui/page";
import { StatusTags, Tag, When } from "../../ui/people";
import { Loaded } from "../../ui/states";
import { AuditLines } from "../audit/AuditLines";
import { SetAsideNotice } from "../aside/SetAside";
import { BurstNotice } from "../holds/Burst";
import { State } from "../sources/Health";
import styles from "../admin.module.css";

const counted: { status?: Status; frozen?: "true" }[] = [{ status: "active" }, { status: "pending" }, { status: "leave" }, { status: "notice" }, { status: "terminated" }, { frozen: "true" }];

/** HomePage answers one question: is everything right? */
export function HomePage() {
  const { t } = useTexts();
  const last = useQuery({ queryKey: ["audit", "last"], queryFn: ({ signal }) => audit({ limit: 8, without: looked }, signal) });
  const waiting = useQuery({ queryKey: ["holds"], queryFn: ({ signal }) => holds(signal) });
  return (
    <Page title={t.home.title} lead={t.home.lead}>
      <SetAsideNotice />
      <BurstNotice holds={waiting.data?.items ?? []} />
      <div className={styles.tiles}>
        <PeopleTile />
        <HoldsTile />
        <SourcesTile />
      </div>
      <Section title={t.home.lastAudit} more={<Link href="/admin/audit">{t.home.all}</Link>}>
        <Loaded query={last}>{(page) => <AuditLines records={page.items} />}</Loaded>
      </Section>
    </Page>
  );
}

function Tile({ title, href, children }: { title: string; href: string; children: ReactNode }) {
  const { t } = useTexts();
  return (
    <Card>
      <div className={styles.tile}>
        <div className={styles.tileHead}>
          <h2 className={styles.tileTitle}>{title}</h2>
          <Link className={styles.tileMore} href={href}>
            {t.home.all}
          </Link>
        </div>
        {children}
      </div>
    </Card>
  );
}

/** PeopleTile counts people by status. Where the server sends no total, the first page counts, and says so with a plus. */
function PeopleTile() {
  const { t } = useTexts();
  const counts = useQueries({
    queries: counted.map((query) => ({ queryKey: ["people", "count", query], queryFn: ({ signal }: { signal: AbortSignal }) => people({ ...query, limit: 200 }, signal) })),
  });
  return (
    <Tile title={t.home.people} href="/admin/people">
      <div className={styles.counts}>
        {counted.map((query, i) => {
          const page = counts[i]?.data;
          const n = page ? (page.total ?? page.items.length) : undefined;
          return (
            <Link key={i} className={styles.count} href={`/admin/people?${new URLSearchParams(query)}`}>
              <StatusTags status={query.status} frozen={query.frozen === "true"} />
              <span className={styles.countNumber}>{n === undefined ? "…" : page?.next && page.total === undefined ? t.home.atLeast(n) : n}</span>
            </Link>
          );
        })}
      </div>
      <Doubts />
      <Contested />
    </Tile>
  );
}

/** Doubts says how many pairs may be one person; nothing where there are none. */
function Doubts() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["workitems", "groups"], queryFn: ({ signal }) => workItemGroups(signal) });
  if (!query.data?.open) return null;
  return (
    <p className={styles.line}>
      <Link href="/admin/work-items">{t.review.homeOpen(query.data.open)}</Link>
    </p>
  );
}

/** Contested names those of whom a source says that they work here although they were terminated at once. */
function Contested() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["people", "contested"], queryFn: ({ signal }) => people({ contested: "true", limit: 5 }, signal) });
  return (
    <>
      {(query.data?.items ?? []).map((p) => (
        <p key={p.id} className={styles.line}>
          <Link href={`/admin/people/${p.id}`}>{t.people.homeContested(p.display_name || p.id)}</Link>
        </p>
      ))}
    </>
  );
}

function HoldsTile() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["holds"], queryFn: ({ signal }) => holds(signal) });
  return (
    <Tile title={t.home.holds} href="/admin/holds">
      <Loaded query={query}>
        {(page) => {
          const open = page.items.filter(isOpen);
          if (open.length === 0) return <p className={styles.calm}>{t.home.noHolds}</p>;
          return (
            <>
              <p className={styles.strong}>{t.home.holdsWait(open.length)}</p>
              {open.slice(0, 3).map((h) => (
                <div key={h.id} className={styles.tileHold}>
                  <div>{word(t.holds.cause, h.cause)}</div>
                  <div className={styles.line}>
                    <Tag tone="warn">{t.words.people(size(h))}</Tag>
                    <When at={h.created_at} />
                  </div>
                </div>
              ))}
            </>
          );
        }}
      </Loaded>
    </Tile>
  );
}

function SourcesTile() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal) });
  return (
    <Tile title={t.home.sources} href="/admin/sources">
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 ? (
            <p className={styles.calm}>{t.home.noSources}</p>
          ) : (
            page.items.slice(0, 6).map((s) => (
              <div key={s.id} className={styles.line}>
                <span className={styles.lineText}>{s.name ?? s.id}</span>
                {s.health ? <State health={s.health} /> : <span className={styles.small}>{word(t.words.source, s.kind)}</span>}
                <When at={s.health?.verified_at ?? heardAt(s) ?? s.created_at} />
              </div>
            ))
          )
        }
      </Loaded>
    </Tile>
  );
}
