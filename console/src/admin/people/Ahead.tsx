import type { Change, Person } from "../../api/people";
import { useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { Card, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import styles from "../admin.module.css";

const text = (value: unknown) => (value === null || value === undefined || value === "" ? "–" : typeof value === "string" ? value : JSON.stringify(value));

/** Ahead says what will change of a person by itself, at each instant that is known. */
export function Ahead({ person: p }: { person: Person }) {
  const { t, locale } = useTexts();
  const ahead = p.ahead ?? [];
  if (ahead.length === 0) return null;
  const names: Record<string, string> = { title: t.people.jobTitle, department: t.people.department, division: t.people.division, organization: t.people.organization, company: t.people.company, cost_center: t.people.costCenter, employee_type: t.people.employeeType, unit: t.people.unit, manager: t.people.manager };
  const told = (c: Change) => `${names[c.name] ?? c.name}: ${text(c.before)} → ${text(c.now)}`;
  return (
    <Section title={t.people.ahead} hint={t.people.aheadHint}>
      <Card rows>
        {ahead.map((a) => (
          <div key={a.at} className={styles.line}>
            <span className={styles.lineText}>
              <span className={styles.strong}>{full(a.at, locale)}</span>
              {a.changes.map((c) => (
                <div key={c.name} className={styles.small}>
                  {told(c)}
                </div>
              ))}
            </span>
            <Tag tone={a.frozen ? "warn" : "good"}>{word(t.words.status, a.status)}</Tag>
          </div>
        ))}
      </Card>
    </Section>
  );
}
