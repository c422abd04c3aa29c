import { useQuery } from "@tanstack/react-query";
import { Button, Input } from "antd";
import { useState } from "react";
import { documentURL, reviews } from "../../api/reviews";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Empty, Loaded } from "../../ui/states";
import { ChoosePerson } from "../access/choose";
import styles from "../admin.module.css";

const dayOf = (at: Date) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);

/** EvidencePage is where auditors ask for documents, and print them. */
export default function EvidencePage() {
  const { t, locale } = useTexts();
  const me = useMe();
  const [from, setFrom] = useState(() => dayOf(new Date(Date.now() - 30 * 86_400_000)));
  const [to, setTo] = useState(() => dayOf(new Date(Date.now() + 86_400_000)));
  const [person, setPerson] = useState("");
  const whole = from !== "" && to > from;
  const period = (format: string) => documentURL("/evidence/period", { from: new Date(`${from}T00:00`).toISOString(), to: new Date(`${to}T00:00`).toISOString(), format, lang: locale });
  const leaver = (format: string) => documentURL(`/people/${encodeURIComponent(person)}/evidence`, { format, lang: locale });
  return (
    <Page title={t.evidence.title} lead={t.evidence.lead}>
      <Section title={t.evidence.period} hint={t.evidence.periodHint}>
        <div className={styles.filters}>
            <Input type="date" aria-label={t.evidence.from} prefix={t.evidence.from} value={from} onChange={(e) => setFrom(e.target.value)} style={{ width: 190 }} />
            <Input type="date" aria-label={t.evidence.to} prefix={t.evidence.to} value={to} onChange={(e) => setTo(e.target.value)} style={{ width: 190 }} />
            <Forms disabled={!whole} url={period} forms={["csv", "json", "html"]} />
        </div>
      </Section>
      <Section title={t.evidence.leaver} hint={t.evidence.leaverHint}>
        <div className={styles.filters}>
            <ChoosePerson value={person} onChange={(id) => setPerson(id ?? "")} />
            <Forms disabled={!person} url={leaver} forms={["signed", "html"]} />
        </div>
      </Section>
      {mayEverywhere(me, "reviews.read") && <Reviews />}
    </Page>
  );
}

function Reviews() {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["reviews"], queryFn: ({ signal }) => reviews(signal), refetchInterval: 60_000 });
  return (
    <Section title={t.evidence.reviews} hint={t.evidence.reviewsHint}>
      <Loaded query={query}>
        {(data) => (
          <Card rows={data.items.length > 0}>
            {data.items.length === 0 && <Empty title={t.evidence.noReviews} />}
            {data.items.map((r) => (
              <div key={r.id} className={styles.line} style={{ flexWrap: "wrap" }} data-review={r.id}>
                <span className={styles.lineText}>
                  <span className={styles.strong}>{t.evidence.about[r.about]}</span> <span className={styles.small}>{r.ref}</span>
                  <div className={styles.small}>{r.closed_at ? t.evidence.closed(full(r.closed_at, locale)) : t.evidence.open(full(r.ends_at, locale))}</div>
                </span>
                <Forms url={(format) => documentURL(`/reviews/${encodeURIComponent(r.id)}/evidence`, { format, lang: locale })} forms={["signed", "csv", "html"]} />
              </div>
            ))}
          </Card>
        )}
      </Loaded>
    </Section>
  );
}

/** Forms are the forms in which one document can be had. */
function Forms({ url, forms, disabled }: { url: (format: string) => string; forms: ("csv" | "json" | "signed" | "html")[]; disabled?: boolean }) {
  const { t } = useTexts();
  const called = { csv: "CSV", json: "JSON", signed: t.evidence.signed, html: t.evidence.print };
  return (
    <>
      {forms.map((form) => (
        <Button key={form} disabled={disabled} data-form={form} {...(disabled ? {} : { href: url(form === "signed" ? "json" : form), target: form === "html" ? "_blank" : undefined, rel: "noreferrer" })}>
          {called[form]}
        </Button>
      ))}
    </>
  );
}
