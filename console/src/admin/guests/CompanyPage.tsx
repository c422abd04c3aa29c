import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { company, guests, suspendCompany, type Company } from "../../api/guests";
import { useGuestChange } from "../../guests/change";
import { Left, StateTag, Sure } from "../../guests/words";
import { nameIn, useTexts } from "../../i18n";
import { full, known } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Avatar, Tag } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { Name } from "../Name";
import styles from "../admin.module.css";
import { CompanyForm } from "./CompanyForm";

/** CompanyPage is one company: what binds its guests, who answers for them, and who is let in. */
export default function CompanyPage({ id }: { id: string }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["guests", "company", id], queryFn: ({ signal }) => company(id, signal) });
  const c = query.data;
  return (
    <Page
      title={c ? nameIn(locale, c.names, c.key) : t.guests.company}
      lead={c?.key}
      tags={known(c?.suspended_at) && <Tag tone="bad">{t.guests.state.suspended}</Tag>}
      actions={c && <Acts company={c} />}
      above={
        <Link className={styles.back} href="/admin/companies">
          ‹ {t.guests.companies}
        </Link>
      }
    >
      <Loaded query={query}>
        {(it) => (
          <>
            <Facts company={it} />
            <People company={it} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Acts({ company: c }: { company: Company }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const { change } = useGuestChange();
  const [dialog, setDialog] = useState<"change" | "suspend" | "resume" | "">("");
  if (!mayEverywhere(me, "guests.write")) return null;
  const name = nameIn(locale, c.names, c.key);
  const close = () => setDialog("");
  return (
    <span className={styles.buttons} style={{ marginTop: 0 }}>
      <Button onClick={() => setDialog("change")} data-change-company>
        {t.guests.changeCompany}
      </Button>
      {known(c.suspended_at) ? (
        <Button type="primary" data-resume-company onClick={() => setDialog("resume")}>
          {t.guests.resume}
        </Button>
      ) : (
        <Button danger data-suspend-company onClick={() => setDialog("suspend")}>
          {t.guests.suspend}
        </Button>
      )}
      {dialog === "change" && <CompanyForm company={c} close={close} />}
      {dialog === "suspend" && <Sure danger wants title={t.guests.suspendTitle(name)} text={t.guests.suspendText} act={t.guests.suspend} run={(reason) => change(suspendCompany(c.key, "suspend", reason), (m) => `${t.guests.count(m.guests)}: ${t.guests.suspended}`)} close={close} />}
      {dialog === "resume" && <Sure title={t.guests.resume} text={t.guests.openText} act={t.guests.resume} run={(reason) => change(suspendCompany(c.key, "resume", reason), (m) => `${t.guests.count(m.guests)}: ${t.guests.resumed}`)} close={close} />}
    </span>
  );
}

function Facts({ company: c }: { company: Company }) {
  const { t, locale } = useTexts();
  return (
    <Card>
      <dl className={styles.facts}>
        <div>
          <dt>{t.guests.domainsLabel}</dt>
          <dd>{c.domains.join(", ")}</dd>
        </div>
        <div>
          <dt>{t.guests.owner}</dt>
          <dd>
            <Name id={c.owner} known={c.owner_name} />
          </dd>
        </div>
        <div>
          <dt>{t.guests.contract}</dt>
          <dd>{known(c.ends_at) ? full(c.ends_at, locale) : t.guests.endless}</dd>
        </div>
        <div>
          <dt>{t.guests.limit}</dt>
          <dd>{c.most || t.guests.limitNone}</dd>
        </div>
        {c.documents.length > 0 && (
          <div>
            <dt>{t.guests.documents}</dt>
            <dd>{c.documents.join(", ")}</dd>
          </div>
        )}
        {known(c.suspended_at) && (
          <div>
            <dt>{t.guests.state.suspended}</dt>
            <dd>{t.guests.suspendedSince(full(c.suspended_at, locale))}</dd>
          </div>
        )}
      </dl>
    </Card>
  );
}

function People({ company: c }: { company: Company }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["guests", "list", "of", c.key], queryFn: ({ signal }) => guests({ company: c.key, within_days: 3650, limit: 50 }, signal) });
  return (
    <Loaded query={query}>
      {(page) => {
        const sponsors = new Map(page.items.map((g) => [g.sponsor, g.sponsor_name]));
        return (
          <>
            <Section title={t.guests.title} hint={page.next ? undefined : t.guests.count(page.items.length)} more={page.next && <Link href={`/admin/guests?company=${c.key}`}>{t.shell.more}</Link>}>
              <Card rows={page.items.length > 0}>
                {page.items.length === 0 && <Empty title={t.guests.none} hint={t.guests.noneHint} />}
                {page.items.map((g) => (
                  <div key={g.id} className={styles.line} style={{ flexWrap: "wrap" }}>
                    <Avatar id={g.id} name={g.name} size={28} />
                    <span className={styles.lineText} style={{ minWidth: 160 }}>
                      <Link className={styles.strong} href={`/admin/guests/${g.id}`}>{g.name}</Link> <span className={styles.small}>{g.email}</span>
                    </span>
                    <StateTag guest={g} />
                    <Left guest={g} />
                  </div>
                ))}
              </Card>
            </Section>
            {sponsors.size > 0 && (
              <Section title={t.guests.sponsors}>
                <div className={styles.chips}>
                  {[...sponsors].map(([id, name]) => (
                    <span key={id} className={styles.chip}>
                      <Name id={id} known={name} />
                    </span>
                  ))}
                </div>
              </Section>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
