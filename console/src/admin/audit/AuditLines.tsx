import { useState } from "react";
import type { AuditRecord } from "../../api/audit";
import { useTexts, word } from "../../i18n";
import { Card } from "../../ui/page";
import { When } from "../../ui/people";
import { Empty } from "../../ui/states";
import { Name } from "../Name";
import own from "./audit.module.css";
import styles from "../admin.module.css";

/** nameOf answers the name that a record's personal part gives its subject, where it was not erased. */
function nameOf(r: AuditRecord): string {
  for (const key of ["display_name", "person_name", "name", "user_name"]) {
    const value = r.personal?.[key] ?? r.public?.[key];
    if (typeof value === "string" && value) return value;
  }
  return "";
}

/** AuditLines are lines of the log: when, what, on whom, by whom; the rest unfolds. */
export function AuditLines({ records }: { records: AuditRecord[] }) {
  const { t } = useTexts();
  if (records.length === 0) return <Empty title={t.audit.none} />;
  return (
    <Card rows>
      {records.map((r) => (
        <Line key={r.seq} record={r} />
      ))}
    </Card>
  );
}

function Line({ record: r }: { record: AuditRecord }) {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  const about = r.subject?.startsWith("per_") || typeof r.public?.["person"] !== "string" ? r.subject : r.public["person"];
  const details = { ...r.public, ...r.personal };
  return (
    <div>
      <div className={own.line}>
        <button type="button" className={own.toggle} aria-expanded={open} onClick={() => setOpen(!open)}>
          {word(t.audit.actions, r.action)}
        </button>
        <span className={own.subject}>
          {about ? <Name id={about} known={r.subject_name || nameOf(r)} /> : "–"}
        </span>
        <span className={own.actor}><Name id={r.actor ?? ""} known={r.actor_name} /></span>
        <When at={r.at} />
      </div>
      {open && (
        <div className={own.details}>
          <dl className={own.facts}>
            <dt>#</dt>
            <dd>{r.seq}</dd>
            <dt>{t.audit.action}</dt>
            <dd>{r.action}</dd>
            <dt>{t.audit.subject}</dt>
            <dd>{r.subject}</dd>
            <dt>{t.audit.actor}</dt>
            <dd>{r.actor}</dd>
            {r.cause && (
              <>
                <dt>{t.audit.cause}</dt>
                <dd>{r.cause}</dd>
              </>
            )}
          </dl>
          {r.erased && <p className={styles.small}>{t.audit.erased}</p>}
          {Object.keys(details).length > 0 && <pre className={styles.detail}>{JSON.stringify(details, null, 2)}</pre>}
        </div>
      )}
    </div>
  );
}
