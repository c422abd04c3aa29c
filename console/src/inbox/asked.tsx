import { Link } from "wouter";
import type { Asked } from "../api/approvals";
import type { Called } from "../api/inbox";
import styles from "../admin/admin.module.css";
import { useTexts, word } from "../i18n";
import { full, known } from "../i18n/time";
import { nameOf } from "./words";

/** Text says what was asked for, by whom, why, and what became of it. */
export function Text({ asked: r, names, linked }: { asked: Asked; names: Called; linked?: boolean }) {
  const { t, locale } = useTexts();
  const who = nameOf(names, locale, r.subject);
  const act = r.kind !== "retention" ? r.kind : r.object.startsWith("lgh_") ? "legal_hold" : "erasure";
  const what = t.approvals.what(act, word(t.approvals.kind, r.kind), nameOf(names, locale, r.object), word(t.words.role, r.role));
  const span = known(r.until) ? t.approvals.until(full(r.until, locale)) : known(r.asked_until) ? t.approvals.until(full(r.asked_until, locale)) : r.days ? t.approvals.days(r.days) : r.minutes ? t.glass.span(r.minutes) : "";
  return (
    <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
      <span className={styles.strong}>{linked ? <Link href={`/admin/people/${r.subject}`}>{who}</Link> : who}</span> {what}
      {span && ` · ${span}`}
      {(r.kind === "plan" || r.kind === "release") && (
        <>
          {" · "}
          <Link href={r.kind === "plan" ? `/admin/policies/plans/${r.object}` : "/admin/holds"}>{t.approvals.look}</Link>
        </>
      )}
      <div className={styles.small}>{r.reason}</div>
      {r.decisions.map((d) => (
        <div key={d.approver} className={styles.small}>
          {nameOf(names, locale, d.approver)} {d.agrees ? t.approvals.agreed : t.approvals.disagreed}
          {d.comment && `: ${d.comment}`}
        </div>
      ))}
      {!!r.lacking && <div className={styles.small}>{t.approvals.lacking(r.lacking)}</div>}
      {r.obstacle && <div className={styles.small}>{word(t.approvals.obstacle, r.obstacle)}</div>}
    </span>
  );
}
