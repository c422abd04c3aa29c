import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Alert, Button, Select, type TableColumnsType } from "antd";
import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { closeAll, companies, guests, summary, waiting, type Guest } from "../../api/guests";
import { calledIn } from "../../api/inbox";
import { useGuestChange } from "../../guests/change";
import { ImportFile } from "../../guests/ImportFile";
import { Invite } from "../../guests/Invite";
import { Left, StateTag, Sure } from "../../guests/words";
import { nameIn, useTexts } from "../../i18n";
import { full, known } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Who } from "../../ui/people";
import { ChoosePerson } from "../access/choose";
import { chosen, Paged } from "../Paged";
import styles from "../admin.module.css";

const within: Record<string, number | undefined> = { now: 3650, week: 7, month: 30, ever: undefined };

/** GuestsPage is who from outside is let in, for how long still, and what waits for others to agree. */
export default function GuestsPage() {
  const { t } = useTexts();
  const me = useMe();
  const [query, setQuery] = useSearchParams();
  const [dialog, setDialog] = useState<"invite" | "file" | "close" | "open" | "">("");
  const { change } = useGuestChange();
  const count = useQuery({ queryKey: ["guests", "summary"], queryFn: ({ signal }) => summary(signal), refetchInterval: 60_000 });
  const writes = mayEverywhere(me, "guests.write");
  const closes = mayEverywhere(me, "guests.close");
  const closed = count.data?.closed_at;
  return (
    <Page
      title={t.guests.title}
      lead={t.guests.lead}
      actions={
        <span className={styles.buttons} style={{ marginTop: 0 }}>
          <Link href="/admin/companies">
            <Button>{t.guests.companies}</Button>
          </Link>
          {writes && (
            <>
              <Button data-import onClick={() => setDialog("file")}>{t.guests.file}</Button>
              <Button type="primary" data-invite onClick={() => setDialog("invite")}>
                {t.guests.invite}
              </Button>
            </>
          )}
        </span>
      }
    >
      {known(closed) && <Closed since={closed} open={closes ? () => setDialog("open") : undefined} />}
      {!!count.data?.waiting && <Waiting />}
      <List query={query} setQuery={setQuery} />
      {closes && !known(closed) && (
        <Section title={t.guests.close}>
          <div className={styles.line} style={{ flexWrap: "wrap" }}>
            <span className={`${styles.lineText} ${styles.muted}`} style={{ whiteSpace: "normal", minWidth: 220 }}>{t.guests.closeHint}</span>
            <Button danger data-close-all onClick={() => setDialog("close")}>
              {t.guests.close}
            </Button>
          </div>
        </Section>
      )}
      {dialog === "invite" && <Invite mine={false} company={query.get("company") ?? undefined} sponsor={(value, onChange) => <ChoosePerson value={value} onChange={onChange} />} close={() => setDialog("")} />}
      {dialog === "file" && <ImportFile mine={false} close={() => setDialog("")} />}
      {dialog === "close" && <Sure danger wants title={t.guests.closeTitle} text={t.guests.closeText} act={t.guests.close} run={(reason) => change(closeAll("close", reason), (m) => t.guests.count(m.guests))} close={() => setDialog("")} />}
      {dialog === "open" && <Sure wants title={t.guests.openTitle} text={t.guests.openText} act={t.guests.open} run={(reason) => change(closeAll("open", reason), (m) => t.guests.count(m.guests))} close={() => setDialog("")} />}
    </Page>
  );
}

function Closed({ since, open }: { since: string; open?: () => void }) {
  const { t, locale } = useTexts();
  return <Alert style={{ marginBottom: 18 }} type="error" showIcon title={t.guests.closed(full(since, locale))} action={open && <Button data-open-all onClick={open}>{t.guests.open}</Button>} />;
}

function Waiting() {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["guests", "waiting"], queryFn: ({ signal }) => waiting(signal), refetchInterval: 60_000 });
  const short = locale === "zh-CN" ? "zh" : "en";
  const names = query.data?.names ?? {};
  if (!query.data?.items.length) return null;
  return (
    <div style={{ marginBottom: 28 }}>
      <Section title={t.guests.waiting} hint={t.guests.waitingHint}>
        <Card rows>
          {query.data.items.map((w) => (
            <div key={w.id} className={styles.line} style={{ flexWrap: "wrap" }} data-waiting={w.id}>
              <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
                <Link className={styles.strong} href={`/admin/guests/${w.guest}`}>{w.name || w.email}</Link> <span className={styles.small}>{w.company} · {t.guests.into(w.channels.map((c) => `# ${c}`).join(" "), calledIn(names, short, w.group))}</span>
                <div className={styles.small}>{w.reason}</div>
              </span>
              <span className={styles.small}>{t.guests.askedBy(calledIn(names, short, w.sponsor), full(w.asked_at, locale))}</span>
            </div>
          ))}
        </Card>
      </Section>
    </div>
  );
}

function List({ query, setQuery }: { query: URLSearchParams; setQuery: ReturnType<typeof useSearchParams>[1] }) {
  const { t, locale } = useTexts();
  const which = Object.hasOwn(within, query.get("which") ?? "") ? (query.get("which") ?? "now") : "now";
  const company = query.get("company") ?? "";
  const [cursors, setCursors] = useState<string[]>([]);
  const cursor = cursors.at(-1) ?? "";
  const of = useQuery({ queryKey: ["guests", "companies"], queryFn: ({ signal }) => companies(signal) });
  const found = useQuery({ queryKey: ["guests", "list", which, company, cursor], queryFn: ({ signal }) => guests({ company, within_days: within[which], cursor, limit: 50 }, signal), placeholderData: keepPreviousData });
  const names = new Map((of.data?.items ?? []).map((c) => [c.key, nameIn(locale, c.names, c.key)]));
  const choose = (name: string, value: string | undefined) => {
    setCursors([]);
    setQuery((old) => chosen(old, name, value), { replace: true });
  };
  const columns: TableColumnsType<Guest> = [
    { title: t.guests.name, key: "name", render: (_, g) => <Who id={g.id} name={g.name} note={g.email} link={`/admin/guests/${g.id}`} /> },
    { title: t.guests.company, key: "company", render: (_, g) => names.get(g.company) ?? g.company, responsive: ["sm"] },
    { title: t.guests.sponsor, key: "sponsor", render: (_, g) => g.sponsor_name, responsive: ["md"] },
    {
      title: t.guests.left,
      key: "left",
      render: (_, g) => (
        <span className={styles.chips}>
          {g.state !== "over" && <StateTag guest={g} />} <Left guest={g} />
        </span>
      ),
    },
  ];
  return (
    <>
      <div className={styles.filters}>
        <Select className={styles.wide} aria-label={t.guests.left} value={which} onChange={(v) => choose("which", v === "now" ? undefined : v)} options={Object.entries(t.guests.which).map(([value, label]) => ({ value, label }))} />
        <Select className={styles.wide} aria-label={t.guests.company} showSearch={{ optionFilterProp: "label" }} value={company} onChange={(v) => choose("company", v || undefined)} options={[{ value: "", label: t.guests.anyCompany }, ...[...names].map(([value, label]) => ({ value, label }))]} />
      </div>
      <Paged found={found} columns={columns} path="/admin/guests" empty={{ title: t.guests.none, hint: t.guests.noneHint }} cursors={cursors} setCursors={setCursors} />
    </>
  );
}
