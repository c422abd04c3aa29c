import { CheckCircleOutlined, CloseCircleOutlined, DeploymentUnitOutlined, FileProtectOutlined, IdcardOutlined, LinkOutlined, PauseCircleOutlined, QuestionOutlined, TeamOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useSearchParams } from "wouter";
import { explain, type Explanation, type Step } from "../../api/access";
import { nameIn, useTexts, word } from "../../i18n";
import { date, full, known } from "../../i18n/time";
import { Section } from "../../ui/page";
import { Empty, Loaded } from "../../ui/states";
import { useGroupNames } from "../groups/names";
import { Name } from "../Name";
import { chosen } from "../Paged";
import { ChooseChannel, ChoosePerson, useChannels, usePersonName } from "./choose";
import { ChooseInstant } from "./When";
import styles from "../admin.module.css";

/** Explain draws the path from the rule over the fact to the relation, or what is missing on it. */
export function Explain() {
  const { t } = useTexts();
  const [query, setQuery] = useSearchParams();
  const person = query.get("person") ?? "";
  const channel = query.get("channel") ?? "";
  const at = query.get("at") ?? "";
  const choose = (name: string, value: string | undefined) => setQuery((old) => chosen(old, name, value), { replace: true });
  const found = useQuery({ queryKey: ["explain", person, channel, at], queryFn: ({ signal }) => explain(person, channel, at, signal), enabled: person !== "" && channel !== "" });
  return (
    <>
      <div className={styles.filters} style={{ marginBottom: 24 }}>
        <ChoosePerson value={person} onChange={(v) => choose("person", v)} />
        <ChooseChannel value={channel} onChange={(v) => choose("channel", v)} />
        <ChooseInstant value={at} onChange={(v) => choose("at", v)} />
      </div>
      {at && <p className={styles.small} style={{ marginBottom: 12 }}>{t.access.atHint}</p>}
      {person && channel ? <Loaded query={found}>{(e) => <Picture explanation={e} person={person} channel={channel} at={at} />}</Loaded> : <Empty title={t.access.byPerson} hint={t.access.explainHint} />}
    </>
  );
}

const against = new Set(["freeze", "person", "channel", "hold"]);

function Picture({ explanation: e, person, channel, at }: { explanation: Explanation; person: string; channel: string; at: string }) {
  const { t, locale } = useTexts();
  const name = usePersonName(person) || person;
  const where = useChannels().names.get(channel) ?? channel;
  const missing = (e.missing ?? []).map((m): Step => (typeof m === "string" ? { kind: "missing", text: m } : m));
  const stopped = missing.some((m) => against.has(m.kind ?? ""));
  const rules = missing.filter((m) => m.kind === "rule").length;
  const more = [known(e.since) && e.allowed ? t.access.sinceWhen(full(e.since, locale)) : "", known(e.history_from) ? t.access.historyFrom(full(e.history_from, locale)) : ""].filter(Boolean).join(" ");
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
        <Section title={stopped ? t.access.against : t.access.missing} hint={!stopped && rules > 1 ? t.access.missingOr : undefined}>
          <ul className={styles.path}>
            {missing.map((s, i) => (
              <StepItem key={i} step={s} missing={!stopped} bad={stopped} />
            ))}
          </ul>
        </Section>
      )}
      {!at && <Checked explanation={e} />} {/* of another instant the log of the relations is played back, once */}
    </>
  );
}

const icons: Record<string, ReactNode> = {
  rule: <FileProtectOutlined />,
  fact: <IdcardOutlined />,
  succession: <DeploymentUnitOutlined />,
  person: <IdcardOutlined />,
  reason: <LinkOutlined />,
  membership: <TeamOutlined />,
  role: <TeamOutlined />,
  tuple: <DeploymentUnitOutlined />,
  freeze: <PauseCircleOutlined />,
  hold: <PauseCircleOutlined />,
};

/** relation answers a tuple as OpenFGA writes it; empty where the step has none. */
const relation = (s: Step) => (s.user && s.relation && s.object ? `${s.object}#${s.relation}@${s.user}` : "");

/** withoutTail takes an expression off the end of a sentence: it is shown by itself below. */
const withoutTail = (text: string, tail: string | undefined) => (tail && text.endsWith(tail) ? text.slice(0, -tail.length).replace(/[\s:：]+$/, "") : text);

/** useReferences answers what the references of a tuple are called: user:…, project:…#role, channel:…, freeze:…. */
function useReferences(): (ref: string) => ReactNode {
  const { t } = useTexts();
  const called = useGroupNames();
  const channels = useChannels().names;
  return (ref) => {
    const [object = "", role] = ref.split("#");
    const id = object.slice(object.indexOf(":") + 1);
    switch (object.slice(0, object.indexOf(":"))) {
      case "user":
        return <Name id={id} plain />;
      case "project":
        return role ? t.access.everyRole(word(t.words.role, role), called(id)) : called(id);
      case "channel":
        return `# ${channels.get(id) ?? id}`;
      case "freeze":
        return word(t.words.freeze, id.split(".")[0]);
    }
    return ref;
  };
}

/** TupleText says a relation in words: who is what of what. */
function TupleText({ step: s }: { step: Step }) {
  const { t } = useTexts();
  const called = useReferences();
  return (
    <>
      {called(s.user ?? "")} <span className={styles.arrow}>→</span> {word({ ...t.words.role, ...t.access.relation }, s.relation)} <span className={styles.arrow}>→</span> {called(s.object ?? "")}
    </>
  );
}

function StepItem({ step: s, missing, bad }: { step: Step; missing?: boolean; bad?: boolean }) {
  const { t, locale } = useTexts();
  const stop = bad || s.kind === "freeze" || s.kind === "hold";
  const tone = missing ? styles.bulletMissing : stop ? styles.bulletBad : styles.bulletGood;
  const tuple = relation(s);
  const text = withoutTail(nameIn(locale, s.text, s.ref ?? s.rule ?? ""), s.expression);
  const when = [known(s.from) ? t.people.from(date(s.from, locale)) : "", known(s.until) && !s.until.startsWith("9999") ? t.words.until(date(s.until, locale)) : "", known(s.since) ? t.words.since(full(s.since, locale)) : ""].filter(Boolean).join(" · ");
  const told = s.kind === "reason" && nameIn(locale, s.text) !== ""; // the server's sentence says when and by whom
  const by = s.by || s.source;
  return (
    <li className={styles.step}>
      <span className={`${styles.bullet} ${tone ?? ""}`}>{missing ? <QuestionOutlined /> : (icons[s.kind ?? ""] ?? <LinkOutlined />)}</span>
      <div>
        <div className={styles.stepKind}>{word(t.access.kind, s.kind)}</div>
        <div className={styles.stepText}>{tuple ? <TupleText step={s} /> : text}</div>
        {[s.expression, tuple].map((c) => c && c !== text && (
          <code key={c} className={styles.stepCode}>
            {c}
          </code>
        ))}
        {!told && (when || by) && (
          <div className={styles.small}>
            {when}
            {when && by && " · "}
            {by && <Name id={by} />}
          </div>
        )}
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
