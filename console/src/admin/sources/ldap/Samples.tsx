import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Button, Input, Select } from "antd";
import { useState } from "react";
import { rowsOf, samples, usedBy, type Draft, type Mapping, type Sample, type Shown } from "../../../api/ldap";
import { useTexts, word } from "../../../i18n";
import { date, known } from "../../../i18n/time";
import { Card, Section } from "../../../ui/page";
import { Tag } from "../../../ui/people";
import { Empty, Loaded } from "../../../ui/states";
import own from "./mapping.module.css";

/** Samples are real entries beside what the mapping makes of them, anew with each change of the draft. */
export function Samples({ id, proposed, fields }: { id: string; draft: Draft; proposed?: Mapping; fields: string[] }) {
  const { t } = useTexts();
  const [text, setText] = useState("");
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState(0);
  const query = useQuery({
    queryKey: ["source", id, "samples", name, proposed],
    queryFn: ({ signal }) => samples(id, { name: name || undefined, limit: 5, ...proposed }, signal),
    placeholderData: keepPreviousData,
    retry: false,
  });
  const find = (who: string) => {
    setName(who.trim());
    setChosen(0);
  };
  return (
    <div className={own.side}>
      <Section title={t.ldap.samples} hint={t.ldap.samplesHint}>
        <div className={own.head}>
          <Input.Search className={own.grow} allowClear value={text} placeholder={t.ldap.find} aria-label={t.ldap.find} loading={query.isFetching} onChange={(e) => setText(e.target.value)} onSearch={find} />
          {name !== "" && (
            <Button
              onClick={() => {
                setText("");
                find("");
              }}
            >
              {t.ldap.five}
            </Button>
          )}
        </div>
        <Loaded query={query}>
          {({ items }) => {
            const one = items[Math.min(chosen, items.length - 1)];
            if (!one)
              return (
                <Card>
                  <Empty title={t.ldap.noSample} hint={t.ldap.noSampleHint} />
                </Card>
              );
            return (
              <Card>
                <div className={own.card} aria-live="polite">
                  {items.length > 1 && (
                    <Select<number> style={{ width: "100%", marginBottom: 8 }} aria-label={t.ldap.samples} value={Math.min(chosen, items.length - 1)} onChange={setChosen} options={items.map((s, value) => ({ value, label: nameOf(s) }))} />
                  )}
                  <One sample={one} fields={fields} />
                </div>
              </Card>
            );
          }}
        </Loaded>
      </Section>
    </div>
  );
}

const nameOf = (s: Sample) => s.made.find((m) => m.field === "display_name")?.value ?? s.made.find((m) => m.field === "user_name")?.value ?? s.dn;

function One({ sample: s, fields }: { sample: Sample; fields: string[] }) {
  const { t, locale } = useTexts();
  const fieldName = (field: string) => (field.startsWith("label.") ? t.ldap.label(field.slice(6)) : word(t.ldap.field, field));
  return (
    <>
      <div className={own.dn}>{s.dn}</div>
      <div>
        {!s.active && <Tag tone="bad">{t.ldap.disabled}</Tag>} {known(s.end_at) && <Tag tone="warn">{t.ldap.ends(date(s.end_at, locale))}</Tag>}
      </div>
      <h3 className={own.sub}>{t.ldap.inRollcall}</h3>
      <dl className={own.pairs} data-made>
        {rowsOf(s, fields).map((r) => (
          <div key={r.field} style={{ display: "contents" }}>
            <dt>{fieldName(r.field)}</dt>
            <dd>
              {r.differs && r.now && <span className={own.was}>{r.now.value}</span>} {r.then ? <span className={r.differs ? own.will : undefined}>{r.then.value}</span> : null}{" "}
              {r.then?.from && <span className={own.from}>{t.ldap.from(r.then.from)}</span>}
            </dd>
          </div>
        ))}
      </dl>
      <h3 className={own.sub}>{t.ldap.inLdap}</h3>
      <dl className={own.pairs}>
        {s.attributes.map((a) => {
          const used = usedBy(s, a.name);
          return (
            <div key={a.name} style={{ display: "contents" }}>
              <dt className={`${own.name} ${used.length ? own.used : ""}`} title={used.length ? t.ldap.usedAs(used.map(fieldName).join(", ")) : undefined}>
                {a.name}
              </dt>
              <dd>
                <Values attribute={a} />
              </dd>
            </div>
          );
        })}
      </dl>
    </>
  );
}

function Values({ attribute: a }: { attribute: Shown }) {
  const { t } = useTexts();
  if (a.hidden) return <span className={own.from}>{t.ldap.hidden}</span>;
  if (a.values.length === 0) return <span className={own.from}>{a.binary ? t.ldap.binary : t.ldap.empty}</span>;
  return (
    <>
      {a.values.slice(0, 6).map((v, i) => (
        <div key={i}>{v}</div>
      ))}
      {a.values.length + (a.more ?? 0) > 6 && <span className={own.from}>{t.ldap.moreValues(a.values.length + (a.more ?? 0) - Math.min(6, a.values.length))}</span>}
    </>
  );
}
