import type { Freeze } from "../../api/people";
import type { Joining, MembershipChange } from "../../api/workitems";
import { useTexts, word } from "../../i18n";
import { Card } from "../../ui/page";
import { Tag } from "../../ui/people";
import styles from "./workitems.module.css";

/** Effects says what a decision would change: places, attributes, stops. */
export function Effects({ joining: j, plain }: { joining: Joining; plain?: boolean }) {
  const { t } = useTexts();
  const staying = j.memberships.filter((m) => m.person === j.kept.id);
  const others = j.memberships.filter((m) => m.person !== j.kept.id);
  const body = (
    <div className={styles.effects}>
      <p>{t.review.recordsMove(j.records.length, j.records.map((r) => r.source?.name ?? "").filter((v, i, all) => v && all.indexOf(v) === i).join(", "))}</p>
      <Places title={t.review.placesOf(j.kept.display_name || j.kept.id)} changes={staying} />
      <Places title={t.review.placesOfOther(j.other.display_name || j.other.id)} changes={others} />
      {j.memberships.length === 0 && <p>{t.review.noPlaces}</p>}
      {j.fields.length > 0 && <p className={styles.says}>{t.review.fields(j.fields.map((f) => word(t.review.field, f.name)).join(", "))}</p>}
      <Stops freezes={j.freezes} />
      {(j.other_freezes ?? []).some((f) => f.open) && (
        <>
          <div className={styles.says}>{t.review.stopsOfOther(j.other.display_name || j.other.id)}</div>
          <Stops freezes={j.other_freezes ?? []} />
        </>
      )}
    </div>
  );
  return plain ? body : <Card>{body}</Card>;
}

function Stops({ freezes }: { freezes: Freeze[] }) {
  const { t } = useTexts();
  return freezes
    .filter((f) => f.open)
    .map((f) => (
      <div key={f.id} className={styles.effect}>
        <Tag tone="bad">{t.words.frozen}</Tag>
        <span>{word(t.words.freeze, f.cause)}</span>
      </div>
    ));
}

function Places({ title, changes }: { title: string; changes: MembershipChange[] }) {
  const { t } = useTexts();
  if (changes.length === 0) return null;
  return (
    <div>
      <div className={styles.says}>{title}</div>
      {changes.map((m) => (
        <div key={`${m.op}${m.group}`} className={styles.effect}>
          <Tag tone={m.op === "add" ? "good" : m.op === "remove" ? "bad" : "accent"}>{word(t.review.op, m.op)}</Tag>
          <span>{m.group}</span>
          <span className={styles.says}>{m.from_role ? `${word(t.words.role, m.from_role)} → ${word(t.words.role, m.role)}` : word(t.words.role, m.role)}</span>
        </div>
      ))}
    </div>
  );
}
