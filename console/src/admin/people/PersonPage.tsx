import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { membershipsOf, person, severalSources, type Affiliation, type Membership, type Origin, type Person, type SourceRecord } from "../../api/people";
import { nameIn, useTexts, word } from "../../i18n";
import { date, full, known } from "../../i18n/time";
import { Card, Code, Page, Section } from "../../ui/page";
import { Avatar, Reasons, StatusTags, Tag, When } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { SetAsideOf } from "../aside/SetAside";
import { Ahead } from "./Ahead";
import { UnjudgedOf } from "./Unjudged";
import { Erasure } from "./Erasure";
import { FreezeButton, Freezes } from "./Freezes";
import { UnlockButton } from "./Unlock";
import { Handover } from "./Handover";
import { FormerGrants, Merged, Questions, SplitButton } from "./Same";
import styles from "../admin.module.css";

/** PersonPage is everything known of one person: status, stops, memberships and why, employment, records by source. */
export default function PersonPage({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["person", id], queryFn: ({ signal }) => person(id, signal) });
  const p = query.data;
  return (
    <Page title={p?.display_name || t.people.title} tags={p && <StatusTags status={p.status} frozen={p.frozen} absent={p.absent} />} lead={p && <Lead person={p} />} actions={p && (
        <>
          <UnlockButton id={p.id} />
          <FreezeButton person={p} />
        </>
      )} mark={p && <Avatar id={p.id} name={p.display_name || p.id} size={52} />} above={<Back />}>
      <Loaded query={query}>
        {(found) => (
          <>
            <Merged person={found} />
            <Freezes person={found} />
            <SetAsideOf id={id} />
            <Missing person={found} />
            <Ahead person={found} />
            <Questions id={id} />
            <Memberships id={id} />
            <UnjudgedOf id={id} />
            <Handover id={id} />
            <FormerGrants person={found} />
            <Affiliations items={found.affiliations ?? []} />
            <Details person={found} />
            <Records person={id} items={found.records ?? []} />
            <Erasure person={found} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Back() {
  const { t } = useTexts();
  return (
    <Link className={styles.back} href="/admin/people">
      ‹ {t.people.title}
    </Link>
  );
}

function Lead({ person: p }: { person: Person }) {
  const { locale } = useTexts();
  const unit = nameIn(locale, p.unit?.names, p.unit?.name ?? "");
  return <>{[p.title, unit || p.department, p.email].filter(Boolean).join(" · ")}</>;
}

/** Missing says of somebody whom no source shows any more since when, and what the guard keeps of them. */
function Missing({ person: p }: { person: Person }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["memberships", p.id], queryFn: ({ signal }) => membershipsOf(p.id, signal), enabled: p.absent === true });
  if (!p.absent) return null;
  const held = (query.data?.items ?? []).filter((m) => m.held).length;
  const sources = (p.records ?? []).filter((r) => known(r.absent_since) && !known(r.deleted_at)).map((r) => r.source?.name ?? r.source?.id ?? "");
  return (
    <section className={styles.planned}>
      <h2 className={styles.plannedTitle}>{t.people.missing}</h2>
      <p className={styles.small}>{t.people.missingText(sources.join(t.people.and), known(p.absent_since) ? full(p.absent_since, locale) : "")}</p>
      {held > 0 && (
        <p className={styles.small}>
          {t.people.missingHeld(held)} <Link href="/admin/holds">{t.holds.title}</Link>
        </p>
      )}
    </section>
  );
}

function Memberships({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["memberships", id], queryFn: ({ signal }) => membershipsOf(id, signal) });
  return (
    <Section title={t.people.memberships} hint={t.people.membershipsHint} more={<Link href={`/admin/access/explain?person=${id}`}>{t.people.checkAccess}</Link>}>
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 ? (
            <Card>
              <Empty title={t.people.noMemberships} />
            </Card>
          ) : (
            <Card rows>
              {page.items.map((m) => (
                <MembershipRow key={m.id} membership={m} person={id} />
              ))}
            </Card>
          )
        }
      </Loaded>
    </Section>
  );
}

/** ahead tells of an instant that is yet to come. */
const ahead = (at?: string) => known(at) && Date.parse(at) > Date.now();

function MembershipRow({ membership: m, person: id }: { membership: Membership; person: string }) {
  const { t, locale } = useTexts();
  return (
    <div className={styles.membership}>
      <div>
        <div className={styles.strong}>{m.group ? <Link href={`/admin/groups/${m.group.id}`}>{nameIn(locale, m.group.name, m.group.key ?? m.group.id)}</Link> : m.id}</div>
        <span className={styles.small}>{word(t.words.role, m.role)}</span>
      </div>
      <div>
        <Reasons reasons={m.reasons} />
        {(m.channels ?? []).length > 0 && (
          <div className={styles.chips} style={{ marginTop: 6 }}>
            {(m.channels ?? []).map((c) => (
              <Link key={c.id} className={styles.chip} href={`/admin/access/explain?person=${id}&channel=${c.id}`}>
                # {nameIn(locale, c.name, c.key ?? c.id)}
              </Link>
            ))}
          </div>
        )}
      </div>
      <div className={styles.membershipEnd}>
        {known(m.since) && <span className={styles.small}>{ahead(m.begins) ? t.people.begins(full(m.since, locale)) : t.words.since(date(m.since, locale))}</span>}
        {known(m.ends) && <span className={styles.small}>{t.words.until(full(m.ends, locale))}</span>}
        <div className={styles.chips}>
          {m.suspended && <Tag tone="warn">{t.words.suspended}</Tag>}
          {m.held && <Tag tone="warn">{t.words.held}</Tag>}
        </div>
        {m.held_by && (
          <Link className={styles.small} href="/admin/holds">
            {t.people.heldFor(word(t.holds.cause, m.held_by.cause), date(m.held_by.since, locale))}
          </Link>
        )}
      </div>
    </div>
  );
}

function Affiliations({ items }: { items: Affiliation[] }) {
  const { t, locale } = useTexts();
  if (items.length === 0) return null;
  return (
    <Section title={t.people.affiliations}>
      <Card rows>
        {items.map((a) => (
          <div key={a.id} className={styles.line}>
            <span className={styles.lineText}>
              <span className={styles.strong}>{word(t.words.affiliation, a.kind) || t.words.affiliation.employee}</span>
              {a.unit && <> · {nameIn(locale, a.unit.names, a.unit.name ?? a.unit.id)}</>}
            </span>
            {a.active === false && <Tag>{t.people.inactive}</Tag>}
            <span className={styles.small}>
              {known(a.start_at) && known(a.end_at) ? `${date(a.start_at, locale)} – ${date(a.end_at, locale)}` : known(a.start_at) ? t.words.since(date(a.start_at, locale)) : known(a.end_at) ? t.words.until(date(a.end_at, locale)) : ""}
            </span>
          </div>
        ))}
      </Card>
    </Section>
  );
}

function Details({ person: p }: { person: Person }) {
  const { t } = useTexts();
  const facts: [string, string, ReactNode][] = [
    ["display_name", t.people.name, p.display_name],
    ["user_name", t.people.userName, p.user_name],
    ["email", t.people.email, p.email],
    ["phones", t.people.phones, (p.phones ?? []).map((n) => n.value).join(", ")],
    ["employee_number", t.people.employeeNumber, p.employee_number],
    ["employee_type", t.people.employeeType, word(t.words.affiliation, p.employee_type)],
    ["title", t.people.jobTitle, p.title],
    ["department", t.people.department, p.department],
    ["manager", t.people.manager, p.manager?.id ? <Link href={`/admin/people/${p.manager.id}`}>{p.manager.display_name || p.manager.id}</Link> : undefined],
    ["division", t.people.division, p.division],
    ["organization", t.people.organization, p.organization],
    ["company", t.people.company, p.company],
    ["cost_center", t.people.costCenter, p.cost_center],
    ["locale", t.people.locale, p.locale],
    ["time_zone", t.people.timeZone, p.time_zone],
    ...Object.entries(p.labels ?? {}).map(([k, v]): [string, string, ReactNode] => [`label.${k}`, k, v]),
  ];
  const several = severalSources(p);
  return (
    <Section title={t.people.details} hint={several ? t.people.originsHint : undefined}>
      <Card>
        <dl className={styles.facts}>
          {facts
            .filter(([attribute, , value]) => value && (several || (attribute !== "display_name" && attribute !== "title")))
            .map(([attribute, name, value]) => (
              <div key={attribute}>
                <dt>{name}</dt>
                <dd>
                  {value}
                  {several && <OriginOf origin={p.origins?.[attribute]} />}
                </dd>
              </div>
            ))}
          {several && (
            <div>
              <dt>{t.people.employment}</dt>
              <dd>
                {word(t.words.status, p.status)}
                <OriginOf origin={p.origins?.["employment"]} />
              </dd>
            </div>
          )}
        </dl>
      </Card>
    </Section>
  );
}

/** OriginOf says whose word an attribute is. */
function OriginOf({ origin: o }: { origin?: Origin }) {
  const { t } = useTexts();
  if (!o) return null;
  return (
    <div className={styles.small}>
      <Link href={`/admin/sources/${o.source.id}`}>{o.source.name ?? o.source.id}</Link>
      {!o.authority && ` · ${t.people.fillsIn}`}
    </div>
  );
}

function Records({ person, items }: { person: string; items: SourceRecord[] }) {
  const { t, locale } = useTexts();
  return (
    <Section title={t.people.records} hint={t.people.recordsHint}>
      <Card rows>
        {items.length === 0 && <p className={styles.muted}>{t.people.noRecords}</p>}
        {items.map((r) => (
          <div key={r.link} className={styles.line}>
            <span className={styles.lineText}>
              <span className={styles.strong}>{r.source?.name ?? r.source?.id}</span> <span className={styles.small}>{word(t.words.source, r.source?.kind)}</span>
              <div>
                <Code>{[r.user_name, r.external_id, r.key].filter((v, i, all) => v && all.indexOf(v) === i).join(" · ")}</Code>
              </div>
            </span>
            {known(r.deleted_at) ? <Tag tone="bad">{t.people.deleted}</Tag> : known(r.absent_since) ? <Tag tone="warn">{t.people.absentSince(date(r.absent_since, locale))}</Tag> : r.active === false ? <Tag tone="bad">{t.people.disabled}</Tag> : <Tag tone="good">{t.people.active}</Tag>}
            <When at={r.updated_at} fallback="" />
            {items.length > 1 && <SplitButton person={person} record={r} />}
          </div>
        ))}
      </Card>
    </Section>
  );
}
