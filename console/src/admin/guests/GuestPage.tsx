import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { companies, end, guest, suspend, type GuestPage as Whole } from "../../api/guests";
import { calledIn } from "../../api/inbox";
import { membershipsOf, type Membership } from "../../api/people";
import { useGuestChange } from "../../guests/change";
import { Renew } from "../../guests/Renew";
import { WayIn } from "../../guests/WayIn";
import { Left, StateTag, Sure, Term } from "../../guests/words";
import { nameIn, useTexts, word } from "../../i18n";
import { date, full, known } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Avatar, Tag } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { Name } from "../Name";
import styles from "../admin.module.css";

/** GuestPage is one guest: who answers for them, what they see and why, until when, and what was asked. */
export default function GuestPage({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["guests", "one", id], queryFn: ({ signal }) => guest(false, id, signal), refetchInterval: 30_000 });
  return (
    <Page
      title={query.data?.name ?? t.guests.title}
      lead={query.data?.email}
      mark={query.data && <Avatar id={id} name={query.data.name} size={44} />}
      tags={query.data && <StateTag guest={query.data} />}
      actions={query.data && <Acts guest={query.data} />}
      above={
        <Link className={styles.back} href="/admin/guests">
          ‹ {t.guests.title}
        </Link>
      }
    >
      <Loaded query={query}>
        {(g) => (
          <>
            <Facts guest={g} />
            <Sees guest={g} />
            <History guest={g} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Acts({ guest: g }: { guest: Whole }) {
  const { t } = useTexts();
  const me = useMe();
  const { change } = useGuestChange();
  const [dialog, setDialog] = useState<"renew" | "way" | "suspend" | "resume" | "end" | "">("");
  if (!mayEverywhere(me, "guests.write") || g.state === "over" || g.state === "waiting") return null;
  const close = () => setDialog("");
  return (
    <span className={styles.buttons} style={{ marginTop: 0 }}>
      <Button type="primary" data-renew onClick={() => setDialog("renew")}>
        {t.guests.renew}
      </Button>
      {g.state === "running" && <Button onClick={() => setDialog("way")}>{t.guests.wayIn}</Button>}
      {g.state === "suspended" ? <Button data-resume onClick={() => setDialog("resume")}>{t.guests.resume}</Button> : <Button data-suspend onClick={() => setDialog("suspend")}>{t.guests.suspend}</Button>}
      <Button danger data-end onClick={() => setDialog("end")}>
        {t.guests.end}
      </Button>
      {dialog === "way" && <WayIn mine={false} guest={g} close={close} />}
      {dialog === "renew" && <Renew mine={false} guest={g} close={close} />}
      {dialog === "suspend" && <Sure danger title={t.guests.suspendTitle(g.name)} text={t.guests.suspendText} act={t.guests.suspend} run={(reason) => change(suspend(g.id, "suspend", reason), t.guests.suspended)} close={close} />}
      {dialog === "resume" && <Sure title={t.guests.resume} text={t.guests.openText} act={t.guests.resume} run={(reason) => change(suspend(g.id, "resume", reason), t.guests.resumed)} close={close} />}
      {dialog === "end" && <Sure danger title={t.guests.endTitle(g.name)} text={t.guests.endText} act={t.guests.end} run={(reason) => change(end(false, g.id, reason), t.guests.ended)} close={close} />}
    </span>
  );
}

function Facts({ guest: g }: { guest: Whole }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const all = useQuery({ queryKey: ["guests", "companies"], queryFn: ({ signal }) => companies(signal) });
  return (
    <Card>
      <dl className={styles.facts}>
        <div>
          <dt>{t.guests.company}</dt>
          <dd>
            <Link href={`/admin/companies/${g.company}`}>{nameIn(locale, all.data?.items.find((c) => c.key === g.company)?.names, g.company)}</Link>
          </dd>
        </div>
        <div>
          <dt>{t.guests.sponsor}</dt>
          <dd>
            <Name id={g.sponsor} known={g.sponsor_name} />
          </dd>
        </div>
        {known(g.until) && (
          <div>
            <dt>{t.guests.until}</dt>
            <dd>
              {full(g.until, locale)} {g.state !== "over" && <Left guest={g} />}
            </dd>
          </div>
        )}
        <div>
          <dt>{t.guests.since}</dt>
          <dd>{date(g.created_at, locale)}</dd>
        </div>
        {g.person && mayEverywhere(me, "people.read") && (
          <div>
            <dt>{t.guests.person}</dt>
            <dd>
              <Link href={`/admin/people/${g.person}`}>{g.name}</Link>
            </dd>
          </div>
        )}
      </dl>
    </Card>
  );
}

type Seen = { id: string; name: string; group: string; until?: string; why: string };

/** seenIn answers the channels that a place gives, each with its reason. */
function seenIn(m: Membership, locale: Parameters<typeof nameIn>[0]): Seen[] {
  return (m.channels ?? []).map((c) => {
    const reason = (m.reasons ?? []).find((r) => r.kind === "guest" && r.ref === c.key) ?? m.reasons?.[0];
    return { id: c.id, name: nameIn(locale, c.name, c.key ?? c.id), group: nameIn(locale, m.group?.name, m.group?.key), until: reason?.until, why: nameIn(locale, reason?.text) };
  });
}

/** Sees is what somebody has before them who is this guest. */
function Sees({ guest: g }: { guest: Whole }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const query = useQuery({ queryKey: ["guests", "sees", g.person], queryFn: ({ signal }) => membershipsOf(g.person ?? "", signal), enabled: !!g.person && mayEverywhere(me, "memberships.read") });
  const out = g.state === "suspended" || g.state === "over";
  const list = out ? [] : (query.data?.items ?? []).flatMap((m) => seenIn(m, locale));
  return (
    <Section title={t.guests.sees} hint={list.length > 0 ? t.guests.seesHint : undefined}>
      <Card rows={list.length > 0}>
        {list.length === 0 ? (
          <Empty title={t.guests.seesNothing} hint={out || g.state === "waiting" ? word(t.guests.state, g.state) : undefined} />
        ) : (
          list.map((s) => (
            <div key={s.id} className={styles.line} style={{ flexWrap: "wrap" }} data-sees={s.id}>
              <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
                <span className={styles.strong}># {s.name}</span> <span className={styles.small}>{s.group}</span>
                <div className={styles.small}>{s.why}</div>
              </span>
              <Term until={s.until} />
              {mayEverywhere(me, "access.explain") && <Link href={`/admin/access/explain?person=${g.person}&channel=${s.id}`}>{t.guests.why}</Link>}
            </div>
          ))
        )}
      </Card>
    </Section>
  );
}

function History({ guest: g }: { guest: Whole }) {
  const { t, locale } = useTexts();
  const short = locale === "zh-CN" ? "zh" : "en";
  return (
    <Section title={t.guests.history}>
      <Card rows>
        {g.invitations.map((i) => (
          <div key={i.id} className={styles.line} style={{ flexWrap: "wrap" }}>
            <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
              {t.guests.into(i.channels.map((c) => `# ${c}`).join(" "), calledIn(g.names, short, i.group))}
              <div className={styles.small}>{[i.reason, t.guests.askedBy(calledIn(g.names, short, i.sponsor), full(i.asked_at, locale))].filter(Boolean).join(" · ")}</div>
              <div className={styles.small}>
                <Term until={i.until} bound={i.bound_by} />
                {i.bound_by !== "asked" && <> · {t.guests.askedFor(full(i.asked_until, locale))}</>}
              </div>
            </span>
            <Tag tone={i.state === "granted" ? "good" : i.state === "waiting" ? "warn" : "quiet"}>{word(t.guests.invitation, i.state)}</Tag>
          </div>
        ))}
      </Card>
    </Section>
  );
}
