import { useQuery } from "@tanstack/react-query";
import { Checkbox, Input, Select } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { documentURL, reviews } from "../../api/reviews";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Empty, Loaded } from "../../ui/states";
import { ChoosePerson } from "../access/choose";
import styles from "../admin.module.css";
import { Forms, reviewName } from "./Forms";

const kinds = ["joiner", "mover", "leaver", "returned"] as const;
const dayOf = (at: Date) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);

/** EvidencePage is where auditors ask for documents, and print them. */
export default function EvidencePage() {
  const { t, locale } = useTexts();
  const me = useMe();
  const [from, setFrom] = useState(() => dayOf(new Date(Date.now() - 30 * 86_400_000)));
  const [to, setTo] = useState(() => dayOf(new Date()));
  const [only, setOnly] = useState<string[]>([]);
  const [exceptions, setExceptions] = useState(false);
  const [person, setPerson] = useState("");
  const whole = from !== "" && to >= from;
  const after = () => {
    const end = new Date(`${to}T00:00`); // the last day is meant whole; the server's "to" is exclusive
    end.setDate(end.getDate() + 1);
    return end.toISOString();
  };
  const period = (format: string) =>
    documentURL("/evidence/period", { from: new Date(`${from}T00:00`).toISOString(), to: after(), ...(only.length > 0 && { kind: only.join(",") }), ...(exceptions && { exceptions: "true" }), format, lang: locale });
  const leaver = (format: string) => documentURL(`/people/${encodeURIComponent(person)}/evidence`, { format, lang: locale });
  return (
    <Page title={t.evidence.title} lead={t.evidence.lead}>
      <Section title={t.evidence.period} hint={t.evidence.periodHint}>
        <div className={styles.filters}>
            <Input type="date" aria-label={t.evidence.from} prefix={t.evidence.from} value={from} onChange={(e) => setFrom(e.target.value)} style={{ width: 190 }} />
            <Input type="date" aria-label={t.evidence.to} prefix={t.evidence.to} value={to} onChange={(e) => setTo(e.target.value)} style={{ width: 230 }} />
            <Select mode="multiple" allowClear className={styles.wide} value={only} onChange={setOnly} placeholder={t.evidence.anyKind} aria-label={t.evidence.anyKind} options={kinds.map((value) => ({ value, label: t.evidence.row[value] }))} />
            <Checkbox checked={exceptions} onChange={(e) => setExceptions(e.target.checked)} style={{ alignSelf: "center" }}>
              {t.evidence.exceptions}
            </Checkbox>
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
                  <Link className={styles.strong} href={`/admin/evidence/reviews/${r.id}`}>
                    {reviewName(t, locale, r, data.names)}
                  </Link>
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
