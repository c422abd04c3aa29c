import { useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Checkbox } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { decide, isBurst, isOpen, restore, type Burst, type Hold } from "../../api/holds";
import { sources } from "../../api/sources";
import { nameIn, useTexts, word } from "../../i18n";
import { clock, date, dayOf, full } from "../../i18n/time";
import { Tag, When, Who } from "../../ui/people";
import { useProblemText } from "../../ui/states";
import { AskOthers } from "../approvals/AskOthers";
import styles from "../admin.module.css";

/** useBurstText says what a source did, in one sentence. */
function useBurstText(): (h: Hold, b: Burst) => string {
  const { t, locale } = useTexts();
  const all = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal) });
  return (h, b) => {
    const id = typeof h.source === "string" ? h.source : (h.source?.id ?? "");
    const name = all.data?.items.find((s) => s.id === id)?.name ?? id;
    const sameDay = dayOf(b.first_at) === dayOf(b.last_at);
    const from = sameDay ? clock(b.first_at, locale) : full(b.first_at, locale);
    const to = sameDay ? clock(b.last_at, locale) : full(b.last_at, locale);
    const people = new Set((b.freezes ?? []).map((f) => f.person.id)).size;
    return t.holds.burstText(name, b.freezes.some((f) => f.cause === "deleted"), Math.max(people, h.count ?? 0), b.of, from, to);
  };
}

/** BurstNotice tells on the home page that a source froze many people and nobody has looked. */
export function BurstNotice({ holds: list }: { holds: Hold[] }) {
  const { t } = useTexts();
  const textOf = useBurstText();
  return list.filter(isBurst).filter(isOpen).map((h) =>
    h.burst ? (
      <section key={h.id} className={styles.alert} style={{ marginBottom: 18 }} role="alert">
        <h2 className={styles.alertTitle}>{textOf(h, h.burst)}</h2>
        <p>
          {t.holds.burstNow(h.burst.frozen)} <Link href="/admin/holds">{t.holds.burstDecide}</Link>
        </p>
      </section>
    ) : null,
  );
}

/** BurstRow shows whom a source froze, and takes the decision: restore all, some, or confirm. */
export function BurstRow({ hold: h, burst: b }: { hold: Hold; burst: Burst }) {
  const { t, locale } = useTexts();
  const { modal, notification, message } = AntApp.useApp();
  const textOf = useBurstText();
  const problemOf = useProblemText();
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<string[]>([]);
  const [asking, setAsking] = useState(false);
  const heldOf = (id: string) => (h.removals ?? []).filter((r) => r.person?.id === id).map((r) => nameIn(locale, r.group?.name, r.group?.key));
  const ask = (title: string, content: string, okText: string, danger: boolean, act: () => Promise<void>) =>
    modal.confirm({
      title,
      content,
      okText,
      okButtonProps: { danger },
      cancelText: t.shell.cancel,
      onOk: async () => {
        try {
          await act();
        } catch (error) {
          void message.error(problemOf(error));
        }
        await queries.invalidateQueries();
      },
    });
  const undo = (people?: string[]) =>
    ask(t.holds.restoreTitle(people?.length ?? b.frozen), t.holds.restoreText, t.holds.restore, false, async () => {
      const done = await restore(h.id, people);
      setChosen([]);
      const names = (list: { id: string; display_name?: string }[]) => list.map((p) => p.display_name || p.id).join(", ");
      notification.success({
        title: t.holds.restored(done.restored.length, date(done.until, locale)),
        description: [done.frozen.length > 0 ? t.holds.stillFrozen(names(done.frozen)) : "", done.skipped.length > 0 ? t.holds.skipped(names(done.skipped)) : ""].filter(Boolean).join(" "),
        duration: 12,
      });
    });
  const confirm = () =>
    ask(t.holds.confirmTitle, t.holds.confirmText(b.frozen, (h.removals ?? []).length), t.holds.confirm, true, async () => {
      await decide(h.id, "release");
      void message.success(t.holds.done);
    });
  return (
    <div>
      <div className={styles.line} style={{ flexWrap: "wrap" }}>
        <span className={styles.lineText} style={{ minWidth: 220, whiteSpace: "normal" }}>
          <div className={styles.strong}>{textOf(h, b)}</div>
          <div className={styles.small}>
            {t.holds.burstNow(b.frozen)} {t.holds.burstLimit(b.limit)}
          </div>
          {(h.removals ?? []).length > 0 && <div className={styles.small}>{t.holds.burstHeld((h.removals ?? []).length)}</div>}
        </span>
        <Button type="primary" onClick={() => undo()}>
          {t.holds.restoreAll}
        </Button>
        <Button disabled={chosen.length === 0} onClick={() => undo(chosen)}>
          {t.holds.restoreChosen(chosen.length)}
        </Button>
        <Button danger onClick={h.needs_approval ? () => setAsking(true) : confirm} data-release>
          {h.needs_approval ? t.holds.askRelease : t.holds.confirm}
        </Button>
      </div>
      {asking && <AskOthers kind="release" object={h.id} close={() => setAsking(false)} />}
      <div className={`${styles.grid} ${styles.gap}`}>
        {(b.freezes ?? []).map((f) => (
          <label key={f.freeze} className={styles.line} style={{ margin: 0 }}>
            <Checkbox
              disabled={f.outcome !== ""}
              checked={chosen.includes(f.person.id)}
              onChange={(e) => setChosen(e.target.checked ? [...chosen, f.person.id] : chosen.filter((id) => id !== f.person.id))}
              aria-label={f.person.display_name || f.person.id}
            />
            <Who
              id={f.person.id}
              name={f.person.display_name}
              link
              note={
                <>
                  {word(t.holds.burstCause, f.cause)} · <When at={f.at} />
                  {heldOf(f.person.id).length > 0 && ` · ${heldOf(f.person.id).join(", ")}`}
                </>
              }
            />
            {f.outcome !== "" && <Tag>{word(t.holds.outcome, f.outcome)}</Tag>}
          </label>
        ))}
      </div>
    </div>
  );
}
