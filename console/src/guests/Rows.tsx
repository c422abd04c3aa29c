import type { Batch, BatchRow } from "../api/guests";
import styles from "../admin/admin.module.css";
import { useTexts, word } from "../i18n";
import { date, known } from "../i18n/time";
import { Card } from "../ui/page";
import { Tag } from "../ui/people";

/** Rows is what a batch does about each, with why one has less than was asked, or nothing. */
export function Rows({ batch }: { batch: Batch }) {
  const { t } = useTexts();
  const refused = batch.rows.filter((r) => r.op === "refused").length;
  const same = batch.rows.filter((r) => r.op === "same").length;
  return (
    <div className={styles.gap} data-batch={batch.basis}>
      <p className={styles.muted} style={{ marginBottom: 8 }}>{t.guests.tally(batch.rows.length - refused - same, refused)}</p>
      <div style={{ maxHeight: "44vh", overflow: "auto" }}>
        <Card rows>
          {batch.rows.map((r, i) => (
            <Row key={i} row={r} />
          ))}
        </Card>
      </div>
    </div>
  );
}

function Row({ row: r }: { row: BatchRow }) {
  const { t, locale } = useTexts();
  const until = known(r.until) ? date(r.until, locale) : "";
  const term = r.op === "extend" && known(r.from) ? t.guests.fromTo(date(r.from, locale), until) : until && t.guests.untilExactly(until);
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-op={r.op}>
      <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 180 }}>
        <span className={styles.strong}>{r.name || r.email || "–"}</span> <span className={styles.small}>{[r.line ? t.guests.line(r.line) : "", r.company, r.email].filter(Boolean).join(" · ")}</span>
        <div className={styles.small}>
          {r.op === "refused" ? [locale === "en" ? "" : word(t.guests.code, r.code), r.problem].filter(Boolean).join("：") : [r.op === "end" ? "" : term, r.bound_by && r.bound_by !== "asked" && r.op !== "same" ? word(t.guests.bound, r.bound_by) : "", r.waiting ? t.guests.waits : ""].filter(Boolean).join(" · ")}
        </div>
      </span>
      <Tag tone={r.op === "refused" || r.op === "end" ? "bad" : r.op === "same" ? "quiet" : "good"}>{word(t.guests.op, r.op)}</Tag>
    </div>
  );
}
