import { useQuery } from "@tanstack/react-query";
import { plan as readPlan } from "../../api/policies";
import type { SuccessionPlan } from "../../api/units";
import { nameIn, useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { Card, Code, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Loaded } from "../../ui/states";
import { PlanResult } from "../policies/PlanResult";
import styles from "../admin.module.css";

/** Preview is what is planned of units: what names them, and the plan itself, which is looked at, approved and applied as any other. */
export function Preview({ plan: p, declared }: { plan: SuccessionPlan; declared: () => void }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["plan", p.plan], queryFn: ({ signal }) => readPlan(p.plan, {}, signal) });
  return (
    <>
      <Card rows>
        {p.items.map((i) => (
          <div key={`${i.old} ${i.new}`} className={styles.line} style={{ flexWrap: "wrap" }}>
            <span className={styles.lineText}>
              <Tag>{t.units.kind[i.kind]}</Tag> <Code>{i.old}</Code> {nameIn(locale, i.old_names, i.old_name)} <span className={styles.arrow}>→</span> <Code>{i.new}</Code>
              <div className={styles.small}>{t.units.people(i.people, i.already)}</div>
            </span>
            {!i.new_known && <Tag tone="accent">{t.units.coming}</Tag>}
          </div>
        ))}
      </Card>
      <p className={`${styles.gap} ${styles.muted}`}>
        {t.units.since(p.source, full(p.effective_at, locale))} {p.scopes > 0 && t.units.scopes(p.scopes)}
      </p>
      {p.rules.length > 0 && (
        <Section title={t.units.rules} hint={t.units.rulesHint}>
          <Card rows>
            {p.rules.map((r) => (
              <div key={`${r.group}/${r.rule}`} className={styles.line} style={{ flexWrap: "wrap" }}>
                <span className={styles.lineText}>
                  {r.group} / {r.rule}
                  <code className={styles.stepCode}>{r.when}</code>
                </span>
                <Tag tone={r.edit ? "warn" : "good"}>{r.edit ? t.units.edit : t.units.follows}</Tag>
              </div>
            ))}
          </Card>
        </Section>
      )}
      <Section title={t.units.places}>
        <Loaded query={query}>{(found) => <PlanResult plan={found} applied={declared} />}</Loaded>
      </Section>
    </>
  );
}
