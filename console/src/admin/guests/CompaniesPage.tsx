import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { companies, summary } from "../../api/guests";
import { nameIn, useTexts } from "../../i18n";
import { date, full, known } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import styles from "../admin.module.css";
import { CompanyForm } from "./CompanyForm";

/** CompaniesPage shows the organisations whose people may be let in. */
export default function CompaniesPage() {
  const { t, locale } = useTexts();
  const me = useMe();
  const query = useQuery({ queryKey: ["guests", "companies"], queryFn: ({ signal }) => companies(signal) });
  const count = useQuery({ queryKey: ["guests", "summary"], queryFn: ({ signal }) => summary(signal) });
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title={t.guests.companies}
      lead={t.guests.companiesLead}
      actions={
        mayEverywhere(me, "guests.write") ? (
          <Button type="primary" data-add-company onClick={() => setAdding(true)}>
            {t.guests.addCompany}
          </Button>
        ) : undefined
      }
      above={
        <Link className={styles.back} href="/admin/guests">
          ‹ {t.guests.title}
        </Link>
      }
    >
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t.guests.noCompany} hint={t.guests.noCompanyHint} />
          ) : (
            <div className={styles.grid}>
              {items.map((c) => {
                const n = count.data?.companies.find((o) => o.company === c.key);
                return (
                  <Card key={c.id}>
                    <Link className={styles.groupCard} href={`/admin/companies/${c.key}`}>
                      <div className={styles.line}>
                        <span className={`${styles.lineText} ${styles.groupName}`}>{nameIn(locale, c.names, c.key)}</span>
                        {known(c.suspended_at) && (
                          <span title={full(c.suspended_at, locale)}>
                            <Tag tone="bad">{t.guests.state.suspended}</Tag>
                          </span>
                        )}
                      </div>
                      <div className={styles.small}>{c.domains.join(", ")}</div>
                      <div className={styles.gap}>{[t.guests.count(n?.guests ?? 0), n?.within_30 ? t.guests.soon(n.within_30) : ""].filter(Boolean).join(" · ")}</div>
                      <div className={styles.small}>
                        {t.guests.contract}: {known(c.ends_at) ? date(c.ends_at, locale) : t.guests.endless}
                      </div>
                    </Link>
                  </Card>
                );
              })}
            </div>
          )
        }
      </Loaded>
      {adding && <CompanyForm close={() => setAdding(false)} />}
    </Page>
  );
}
