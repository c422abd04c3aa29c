import { useQuery } from "@tanstack/react-query";
import { sheet } from "../../api/inbox";
import { useTexts, word } from "../../i18n";
import { nameOf, whyText } from "../../inbox/words";
import { may } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import styles from "../admin.module.css";

/** Handover is what a person answers for and who would be asked, and to whom went what they left; nothing where there is neither. */
export function Handover({ id }: { id: string }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const query = useQuery({ queryKey: ["handover", id], queryFn: ({ signal }) => sheet(id, signal), enabled: may(me, "memberships.read"), retry: false });
  const s = query.data;
  const left = (s?.items ?? []).filter((h) => h.to || h.state === "waiting"); // what waited once says nothing of where it went
  if (!s || s.owned.length + left.length === 0) return null;
  const called = (one?: string) => nameOf(s.names, locale, one);
  return (
    <Section title={t.inbox.sheet} hint={s.owned.length > 0 ? t.inbox.sheetHint : t.inbox.sheetLeft}>
      <Card rows>
        {s.owned.map((o) => (
          <div key={o.thing} className={styles.line}>
            <span className={styles.lineText}>
              <span className={styles.strong}>{called(o.thing)}</span>
              <div className={styles.small}>{!o.alone ? t.inbox.others : o.to ? t.inbox.would(called(o.to), whyText(t, o.why)) : t.inbox.wouldWait}</div>
            </span>
            {o.alone && <Tag tone="warn">{t.inbox.alone}</Tag>}
          </div>
        ))}
        {left.map((h) => (
          <div key={h.id} className={styles.line}>
            <span className={styles.lineText}>
              <span className={styles.strong}>{called(h.thing)}</span>
              <div className={styles.small}>{h.to ? t.inbox.went(called(h.to), whyText(t, h.why)) : t.inbox.waits}</div>
            </span>
            <Tag tone={h.state === "waiting" ? "warn" : h.state === "accepted" ? "good" : "quiet"}>{word(t.inbox.state, h.state)}</Tag>
          </div>
        ))}
      </Card>
    </Section>
  );
}
