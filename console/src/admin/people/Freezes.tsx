import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Checkbox, Input, Modal } from "antd";
import { useState } from "react";
import { freeze, restorePerson, unfreeze, type Freeze, type Person } from "../../api/people";
import { useTexts, word } from "../../i18n";
import { date, known } from "../../i18n/time";
import { useProblemText } from "../../ui/states";
import { Name } from "../Name";
import styles from "../admin.module.css";

/** stands tells of a stop that was not lifted: one that denies now, or one that will. */
const stands = (f: Freeze) => !known(f.lifted_at) && !(known(f.until) && Date.parse(f.until) < Date.now());
const deniesNow = (f: Freeze) => f.open ?? !(known(f.from) && Date.parse(f.from) > Date.now());

/** useRefresh asks again for everything that a stop changes. */
function useRefresh(id: string) {
  const queries = useQueryClient();
  return () => Promise.all([["person", id], ["memberships", id], ["people"], ["audit"], ["audience"], ["explain"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
}

/** FreezeButton stops a person's access at once, after a question. */
export function FreezeButton({ person: p }: { person: Person }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const refresh = useRefresh(p.id);
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [veto, setVeto] = useState(true);
  const action = useMutation({
    mutationFn: async () => {
      const start = performance.now();
      await freeze(p.id, reason.trim(), veto);
      return Math.round(performance.now() - start);
    },
    onSuccess: async (ms) => {
      setOpen(false);
      setReason("");
      void message.success(t.people.freezeDone(ms), 6);
      await refresh();
    },
  });
  const bySecurity = (p.freezes ?? []).some((f) => stands(f) && f.cause === "security");
  return (
    <>
      <Button danger disabled={bySecurity} onClick={() => setOpen(true)}>
        {t.people.freeze}
      </Button>
      <Modal
        open={open}
        title={t.people.freezeTitle(p.display_name || p.id)}
        okText={t.people.freeze}
        okButtonProps={{ danger: true, disabled: !reason.trim(), loading: action.isPending }}
        cancelText={t.shell.cancel}
        onOk={() => action.mutate()}
        onCancel={() => {
          setOpen(false);
          action.reset();
        }}
      >
        <p>{t.people.freezeText}</p>
        <Input className={styles.gap} value={reason} onChange={(e) => setReason(e.target.value)} placeholder={t.people.freezeReason} aria-label={t.people.freezeReason} maxLength={500} onPressEnter={() => reason.trim() && action.mutate()} />
        <Checkbox className={styles.gap} checked={veto} onChange={(e) => setVeto(e.target.checked)}>
          {t.people.freezeVeto}
        </Checkbox>
        {action.error && (
          <p className={styles.alertTitle} role="alert">
            {textOf(action.error)}
          </p>
        )}
      </Modal>
    </>
  );
}

/** Freezes shows each stop: why, since when, and who can lift it. */
export function Freezes({ person: p }: { person: Person }) {
  const { t } = useTexts();
  const standing = (p.freezes ?? []).filter(stands);
  const now = standing.filter(deniesNow);
  const undone = standing.filter((f) => f.undone);
  const later = standing.filter((f) => !deniesNow(f) && !f.undone);
  return (
    <>
      {undone.map((f) => (
        <section key={f.id} className={styles.planned}>
          <h2 className={styles.plannedTitle}>{t.people.restored}</h2>
          <Undone freeze={f} />
        </section>
      ))}
      {now.length > 0 && (
        <section className={styles.alert}>
          <h2 className={styles.alertTitle}>{t.people.freezes}</h2>
          <p className={styles.small}>{t.people.freezesHint}</p>
          {now.map((f) => (
            <Stop key={f.id} freeze={f} person={p.id} />
          ))}
        </section>
      )}
      {later.length > 0 && (
        <section className={styles.planned}>
          <h2 className={styles.plannedTitle}>{t.people.freezesLater}</h2>
          {later.map((f) => (
            <Stop key={f.id} freeze={f} person={p.id} />
          ))}
        </section>
      )}
    </>
  );
}

/** Undone says that what a source says is set aside: by whom, until when, why. */
function Undone({ freeze: f }: { freeze: Freeze }) {
  const { t, locale } = useTexts();
  const source = typeof f.source === "string" ? f.source : (f.source?.name ?? f.source?.id ?? "");
  return (
    <div className={styles.stop}>
      <span className={styles.stopText}>
        <span>{t.people.restoredText(source, f.cause === "deleted", known(f.from) ? date(f.from, locale) : "")}</span>
        {f.reason && <span>: {f.reason}</span>}
        {f.actor && (
          <div className={styles.small}>
            {t.people.restoredBy} <Name id={f.actor} />
          </div>
        )}
      </span>
    </div>
  );
}

function Stop({ freeze: f, person: id }: { freeze: Freeze; person: string }) {
  const { t, locale } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const refresh = useRefresh(id);
  const source = typeof f.source === "string" ? f.source : (f.source?.name ?? f.source?.id);
  const from = known(f.from) ? f.from : f.created_at;
  const window = [known(from) ? t.people.from(date(from, locale)) : "", known(f.until) ? t.words.until(date(f.until, locale)) : t.people.openEnd].filter(Boolean).join(", ");
  const lift = () =>
    modal.confirm({
      title: t.people.unfreezeTitle,
      content: t.people.unfreezeText,
      okText: t.people.unfreeze,
      cancelText: t.shell.cancel,
      onOk: async () => {
        try {
          await unfreeze(id, f.id);
          void message.success(t.people.unfreezeDone);
          await refresh();
        } catch (error) {
          void message.error(textOf(error));
        }
      },
    });
  const restore = () =>
    modal.confirm({
      title: t.people.restoreTitle,
      content: t.holds.restoreText,
      okText: t.people.restore,
      cancelText: t.shell.cancel,
      onOk: async () => {
        try {
          const done = await restorePerson(id, f.id, "");
          void message.success(done.frozen.length > 0 ? t.people.restoredFrozen : t.holds.restored(1, date(done.until, locale)), 8);
        } catch (error) {
          void message.error(textOf(error));
        }
        await refresh();
      },
    });
  return (
    <div className={styles.stop}>
      <span className={styles.stopText}>
        <span className={styles.strong}>{word(t.words.freeze, f.cause)}</span>
        {f.reason && <span>: {f.reason}</span>}
        <div className={styles.small}>{[source ? t.people.bySource(source) : "", window, f.veto ? t.people.veto : ""].filter(Boolean).join(" · ")}</div>
        {f.contested && (
          <div className={styles.alertTitle} role="status">
            {t.people.contested((f.contested.sources?.length ? f.contested.sources : [f.contested.source]).map((s) => s?.name ?? "").join(t.people.and), date(f.contested.since, locale))}
          </div>
        )}
      </span>
      {f.cause === "security" || f.cause === "veto" || f.cause === "quarantine" ? (
        <Button onClick={lift} data-lift>{t.people.unfreeze}</Button>
      ) : (f.cause === "disabled" || f.cause === "deleted") && deniesNow(f) ? (
        <>
          <span className={styles.small}>{t.people.liftedBySource}</span>
          <Button onClick={restore}>{t.people.restore}</Button>
        </>
      ) : (
        <span className={styles.small}>{t.people.liftedBySource}</span>
      )}
    </div>
  );
}
