import { CheckCircleOutlined, CloseCircleOutlined, DeploymentUnitOutlined, FileProtectOutlined, IdcardOutlined, LinkOutlined, PauseCircleOutlined, QuestionOutlined, TeamOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useSearchParams } from "wouter";
import { explain, type Explanation, type Step } from "../../api/access";
import { nameIn, useTexts, word } from "../../i18n";
import { date, full, known } from "../../i18n/time";
import { Section } from "../../ui/page";
import { Empty, Loaded } from "../../ui/states";
import { ChooseChannel, ChoosePerson, useChannels, usePersonName } from "./choose";
import styles from "../admin.module.css";

/** Explain draws the path from the rule over the fact to the relation, or what is missing on it. */
export function Explain() {
  const { t } = useTexts();
  const [query, setQuery] = useSearchParams();
  const person = query.get("person") ?? "";
  const channel = query.get("channel") ?? "";
  const choose = (name: string, value: string | undefined) =>
    setQuery(
      (old) => {
        const next = new URLSearchParams(old);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const found = useQuery({ queryKey: ["explain", person, channel], queryFn: ({ signal }) => explain(person, channel, signal), enabled: person !== "" && channel !== "" });
  return (
    <>
      <div className={styles.filters} style={{ marginBottom: 24 }}>
        <ChoosePerson value={person} onChange={(v) => choose("person", v)} />
        <ChooseChannel value={channel} onChange={(v) => choose("channel", v)} />
      </div>
      {person && channel ? <Loaded query={found}>{(e) => <Picture explanation={e} person={person} channel={channel} />}</Loaded> : <Empty title={t.access.byPerson} hint={t.access.explainHint} />}
    </>
  );
}

function Picture({ explanation: e, person, channel }: { explanation: Explanation; person: string; channel: string }) {
  const { t, locale } = useTexts();
  const name = usePersonName(person) || person;
  const where = useChannels().names.get(channel) ?? channel;
  const missing = (e.missing ?? []).map((m): Step => (typeof m === "string" ? { kind: "missing", text: m } : m));
  const more = [known(e.since) ? t.access.sinceWhen(full(e.since, locale)) : "", known(e.history_from) ? t.access.historyFrom(full(e.history_from, locale)) : ""].filter(Boolean).join(" ");
  return (
    <>
      <div className={`${styles.verdict} ${e.allowed ? styles.verdictYes : styles.verdictNo}`} role="status">
        <span className={styles.verdictIcon}>{e.allowed ? <CheckCircleOutlined /> : <CloseCircleOutlined />}</span>
        <span className={styles.verdictText}>
          {e.allowed ? t.access.allowed(name, where) : t.access.denied(name, where)}
          {more && <div className={styles.verdictMore}>{more}</div>}
        </span>
      </div>
      <ol className={styles.path}>
        {(e.path ?? []).map((s, i) => (
          <StepItem key={i} step={s} />
        ))}
      </ol>
      {missing.length > 0 && (
        <Section title={t.access.missing} hint={missing.length > 1 ? t.access.missingOr : undefined}>
          <ul className={styles.path}>
            {missing.map((s, i) => (
              <StepItem key={i} step={s} missing />
            ))}
          </ul>
        </Section>
      )}
      <Checked explanation={e} />
    </>
  );
}

const icons: Record<string, ReactNode> = {
  rule: <FileProtectOutlined />,
  fact: <IdcardOutlined />,
  reason: <LinkOutlined />,
  membership: <TeamOutlined />,
  tuple: <DeploymentUnitOutlined />,
  freeze: <PauseCircleOutlined />,
};

/** relation answers a tuple as OpenFGA writes it; empty where the step has none. */
const relation = (s: Step) => (s.user && s.relation && s.object ? `${s.object}#${s.relation}@${s.user}` : "");

function StepItem({ step: s, missing }: { step: Step; missing?: boolean }) {
  const { t, locale } = useTexts();
  const bad = s.kind === "freeze";
  const tone = missing ? styles.bulletMissing : bad ? styles.bulletBad : styles.bulletGood;
  const text = nameIn(locale, s.text, relation(s) || s.ref || s.rule || "");
  const codes = [s.expression, relation(s)].filter((c): c is string => !!c && c !== text);
  const window = [known(s.from) ? t.people.from(date(s.from, locale)) : "", known(s.until) && !s.until.startsWith("9999") ? t.words.until(date(s.until, locale)) : "", known(s.since) ? t.words.since(date(s.since, locale)) : "", s.source ?? ""].filter(Boolean).join(" · ");
  return (
    <li className={styles.step}>
      <span className={`${styles.bullet} ${tone ?? ""}`}>{missing ? <QuestionOutlined /> : (icons[s.kind ?? ""] ?? <LinkOutlined />)}</span>
      <div>
        <div className={styles.stepKind}>{word(t.access.kind, s.kind)}</div>
        <div className={styles.stepText}>{text}</div>
        {codes.map((c) => (
          <code key={c} className={styles.stepCode}>
            {c}
          </code>
        ))}
        {window && <div className={styles.small}>{window}</div>}
      </div>
    </li>
  );
}

/** Checked shows that two independent engines were asked. */
function Checked({ explanation: e }: { explanation: Explanation }) {
  const { t } = useTexts();
  if (e.index === undefined && e.openfga === undefined) return null;
  const say = (v: boolean | null | undefined) => (v === undefined || v === null ? t.access.notAsked : t.access.says(v));
  const both = typeof e.index === "boolean" && typeof e.openfga === "boolean";
  return (
    <Section title={t.access.checked}>
      <p className={styles.muted}>
        {t.access.index}: {say(e.index)} · {t.access.openfga}: {say(e.openfga)}
        {both && <>. {e.index === e.openfga ? t.access.agree : <span className={styles.alertTitle}>{t.access.disagree}</span>}</>}
      </p>
    </Section>
  );
}
