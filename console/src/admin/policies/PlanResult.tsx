import { Alert } from "antd";
import { isHeld, tally, verdictReasons, type Conflict, type Plan, type Unknown } from "../../api/policies";
import { useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { Card, Code, Section } from "../../ui/page";
import { Tag, Who } from "../../ui/people";
import { useChannelNames, useGroupNames } from "../groups/names";
import { Differences } from "./Differences";
import { Due, PlanActions } from "./PlanActions";
import { PlanChanges } from "./PlanChanges";
import { placeOf } from "./words";
import styles from "../admin.module.css";

/** PlanResult is what a plan would do: how many join and leave, what stands against it, who, and what one may do with it. */
export function PlanResult({ plan, applied }: { plan: Plan; applied: () => void }) {
  const { t } = useTexts();
  const shapes = plan.shapes ?? [];
  const differences = plan.differences ?? [];
  const { added, removed, changed } = tally(plan);
  const channel = useChannelNames();
  const called = useGroupNames();
  const over = typeof plan.verdict === "object" ? (plan.verdict.breaches ?? []) : [];
  const breaches = over.length > 0 ? over.map((b) => (b.group ? t.policies.empties(called(b.group), b.people) : t.policies.reaches(b.people, b.limit ?? 0))) : verdictReasons(plan.verdict);
  const losing = plan.summary?.losing ?? 0;
  const lowered = plan.summary?.lowered ?? 0;
  const some = added + removed + changed > 0;
  return (
    <>
      <Units plan={plan} />
      <Card>
        <div className={styles.tally}>
          <Count n={added} sign="+" tone={styles.plus} text={t.policies.added} />
          <Count n={removed} sign="−" tone={styles.minus} text={t.policies.removed} />
          <Count n={changed} sign="" text={t.policies.changed} />
          <Count n={lowered} sign="−" tone={styles.minus} text={t.policies.lowered} />
        </div>
      </Card>
      <Due plan={plan} />
      {isHeld(plan.verdict) ? (
        <Alert
          className={styles.gap}
          type="warning"
          showIcon
          title={t.policies.held}
          description={
            <>
              {t.policies.heldHint}
              {breaches.map((r) => (
                <div key={r}>{r}</div>
              ))}
            </>
          }
        />
      ) : (
        <p className={`${styles.gap} ${styles.muted}`}>
          {some || shapes.length > 0 ? t.policies.fine : plan.units ? t.policies.nothingOfUnits : differences.length > 0 ? t.policies.onlyWords : t.policies.nothing}
          {losing > 0 && ` ${t.policies.losing(losing)}`}
        </p>
      )}
      <div className={styles.gap}>
        <PlanActions plan={plan} applied={applied} />
      </div>
      {shapes.length > 0 && (
        <ul className={styles.gap}>
          {shapes.map((s, i) => (
            <li key={i}>
              <Tag tone={s.op === "archive" ? "bad" : "accent"}>{word(t.policies.shape, s.op)}</Tag> {[s.group && called(s.group), s.channel && `# ${channel(s.group ?? "", s.channel)}`].filter(Boolean).join(" / ")} <span className={styles.small}>{(s.fields ?? []).map((f) => word(t.policies.shapeField, f)).join(", ")}</span>
            </li>
          ))}
        </ul>
      )}
      {differences.length > 0 && (
        <Section title={t.policies.differences}>
          <Differences items={differences} />
        </Section>
      )}
      <UnknownNames items={plan.unknown ?? []} />
      <Conflicts items={plan.conflicts ?? []} />
      {some && <PlanChanges plan={plan} />}
    </>
  );
}

/** Units says what the plan is about, where that is not the policy. */
function Units({ plan }: { plan: Plan }) {
  const { t, locale } = useTexts();
  const u = plan.units;
  if (!u) return null;
  return (
    <div style={{ marginBottom: 16 }}>
      <Section title={u.withdraw ? t.policies.unitsWithdrawn : t.policies.units} hint={full(u.effective_at, locale)}>
      <Card rows>
        {u.items.map((i) => (
          <div key={`${i.old} ${i.new}`} className={styles.line}>
            <span className={styles.lineText}>
              <Tag>{t.units.kind[i.kind]}</Tag> <Code>{i.old}</Code> <span className={styles.arrow}>→</span> <Code>{i.new}</Code>
            </span>
          </div>
        ))}
      </Card>
    </Section>
    </div>
  );
}

/** UnknownNames lists what the policy names and nobody knows: it may come, or be misspelt. */
function UnknownNames({ items }: { items: Unknown[] }) {
  const { t } = useTexts();
  if (items.length === 0) return null;
  return (
    <Section title={t.policies.unknown} hint={t.policies.unknownHint}>
      <Card rows>
        {items.map((u) => (
          <div key={`${u.file}:${u.line}:${u.column} ${u.name}`} className={styles.line} data-unknown>
            <span className={styles.lineText} style={{ whiteSpace: "normal" }}>
              {t.policies.unknownKind[u.kind](u.name)} {u.did_you_mean && t.policies.didYouMean(u.did_you_mean)}
              <div className={styles.small}>{`${u.file}:${u.line}:${u.column}`}</div>
            </span>
          </div>
        ))}
      </Card>
    </Section>
  );
}

function Conflicts({ items }: { items: Conflict[] }) {
  const { t } = useTexts();
  const called = useGroupNames();
  const named = { group: called, channel: useChannelNames() };
  if (items.length === 0) return null;
  return (
    <Section title={t.policies.conflicts} hint={t.policies.conflictsHint}>
      <Card rows>
        {items.map((c) => (
          <div key={`${c.person}${c.group}${c.role}${c.rule}${c.separation}`} className={styles.line} style={{ flexWrap: "wrap" }}>
            <Who id={c.person} name={c.person_name} link />
            <span className={styles.lineText} style={{ whiteSpace: "normal" }}>
              {[c.group && called(c.group), word(t.words.role, c.role)].filter(Boolean).join(" · ")}
              <div className={styles.small}>
                {c.separation ? t.policies.setting.separation(c.separation) : t.words.reason.rule(c.rule ?? "")}: {c.unjudged ? t.policies.unjudged : (c.against ?? []).length > 0 ? t.policies.against((c.against ?? []).map((place) => placeOf(named, place)).join(", ")) : t.policies.forbidden}
              </div>
            </span>
            {c.held && <Tag tone="bad">{t.policies.endsNow}</Tag>}
          </div>
        ))}
      </Card>
    </Section>
  );
}

function Count({ n, sign, text, tone = "" }: { n: number; sign: string; text: string; tone?: string }) {
  return (
    <div>
      <div className={`${styles.tallyNumber} ${n ? tone : ""}`}>
        {n ? sign : ""}
        {n}
      </div>
      <div className={styles.small}>{text}</div>
    </div>
  );
}
