import { Input, Modal } from "antd";
import { useState, type ReactNode } from "react";
import { Problem } from "../api/client";
import type { Bound, Guest } from "../api/guests";
import styles from "../admin/admin.module.css";
import { useTexts, word } from "../i18n";
import { full, known } from "../i18n/time";
import { Tag } from "../ui/people";
import { useProblemText } from "../ui/states";

/** StateTag is how a guest stands. Who is let in needs no word. */
export function StateTag({ guest: g }: { guest: Pick<Guest, "state"> }) {
  const { t } = useTexts();
  if (g.state === "running") return null;
  return <Tag tone={g.state === "over" ? "quiet" : "warn"}>{word(t.guests.state, g.state)}</Tag>;
}

/** Left is how many days a guest has, the last ones in a colour. */
export function Left({ guest: g }: { guest: Pick<Guest, "days_left" | "until"> }) {
  const { t, locale } = useTexts();
  if (!known(g.until)) return null;
  return (
    <span title={full(g.until, locale)}>
      <Tag tone={g.days_left === 0 ? "quiet" : g.days_left <= 7 ? "bad" : g.days_left <= 30 ? "warn" : "quiet"}>{t.guests.days(g.days_left)}</Tag>
    </span>
  );
}

/** Term says until when, and why not longer. */
export function Term({ until, bound }: { until: string | undefined; bound?: Bound }) {
  const { t, locale } = useTexts();
  if (!known(until)) return null;
  return (
    <>
      {t.guests.untilExactly(full(until, locale))}
      {bound && bound !== "asked" && <span className={styles.small}> · {word(t.guests.bound, bound)}</span>}
    </>
  );
}

/** useRefusal answers what to say of a refusal: that a second factor is wanted, or what the server says. */
export function useRefusal(): (error: unknown) => string {
  const { t } = useTexts();
  const textOf = useProblemText();
  return (error) => (error instanceof Problem && error.code === "step_up_required" ? t.glass.stepUp : error instanceof Problem && error.code === "guest_drift" ? t.guests.drift : textOf(error));
}

/** inDays answers an instant so many days ahead, as a field of a page has it. */
export function inDays(days: number): string {
  const at = new Date(Date.now() + days * 86_400_000);
  at.setHours(18, 0, 0, 0);
  return localText(at);
}

/** localText answers an instant as a field of a page has it, in the zone of the browser. */
export const localText = (at: Date) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/** Field is a field with what it is called above it, and a hint below. */
export function Field({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }) {
  return (
    <label style={{ display: "block", marginBottom: 14 }}>
      <div style={{ marginBottom: 4 }}>{label}</div>
      {children}
      {hint && <div className={styles.small}>{hint}</div>}
    </label>
  );
}

/** Until is a field for an instant. */
export function Until({ value, onChange, label }: { value: string; onChange: (value: string) => void; label: string }) {
  return <Input type="datetime-local" style={{ width: "100%" }} aria-label={label} value={value} onChange={(e) => onChange(e.target.value)} />;
}

/** Sure asks before something that takes or gives access, and why; it stays open where that is refused, and says so. */
export function Sure({ title, text, act, danger, wants, run, close }: { title: string; text: string; act: string; danger?: boolean; wants?: boolean; run: (reason: string) => Promise<unknown>; close: () => void }) {
  const { t } = useTexts();
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const go = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await run(reason.trim());
      close();
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return (
    <Modal open title={title} okText={act} cancelText={t.shell.cancel} okButtonProps={{ danger, loading: busy, disabled: wants && !reason.trim() }} onOk={() => void go()} onCancel={close}>
      <p>{text}</p>
      <Input className={styles.gap} aria-label={t.guests.reason} placeholder={t.guests.reason} maxLength={500} value={reason} onChange={(e) => setReason(e.target.value)} />
      <Refused error={problem} />
    </Modal>
  );
}

/** Refused says what the server refused. */
export function Refused({ error }: { error: unknown }) {
  const refusal = useRefusal();
  if (!error) return null;
  return (
    <p className={`${styles.alertTitle} ${styles.gap}`} role="alert">
      {refusal(error)}
    </p>
  );
}
