import { useMutation, useQuery } from "@tanstack/react-query";
import { Alert, Button, Input } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { Problem } from "../../api/client";
import { makePlan, plan, type Plan } from "../../api/policies";
import { useTexts } from "../../i18n";
import { Section } from "../../ui/page";
import { useProblemText } from "../../ui/states";
import { PlanResult } from "./PlanResult";
import styles from "../admin.module.css";

/** PlanEditor takes a new text, shows what it would do, and applies that very plan. */
export function PlanEditor({ current, close }: { current: string; close: () => void }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const [reason, setReason] = useState("");
  const [text, setText] = useState("");
  const making = useMutation({ mutationFn: makePlan });
  const change = (next: string) => {
    setText(next);
    making.reset(); // a plan belongs to the text it was made of
  };
  return (
    <>
      <p className={styles.muted}>{t.policies.planHint}</p>
      <Input.TextArea className={`${styles.editor} ${styles.gap}`} rows={20} value={text} onChange={(e) => change(e.target.value)} spellCheck={false} placeholder="apiVersion: rollcall/v1" aria-label={t.policies.plan} />
      <Input className={styles.gap} maxLength={1000} value={reason} onChange={(e) => (setReason(e.target.value), making.reset())} placeholder={t.policies.reason} aria-label={t.policies.reason} />
      <div className={styles.buttons}>
        <Button data-make-plan type="primary" disabled={!text.trim()} loading={making.isPending} onClick={() => making.mutate({ source: text, reason: reason.trim() })}>
          {t.policies.makePlan}
        </Button>
        {current && !text && <Button data-start-current onClick={() => change(current)}>{t.policies.startFromCurrent}</Button>}
        <Button type="text" onClick={close}>
          {t.shell.cancel}
        </Button>
      </div>
      {making.error && <Alert className={styles.gap} type="error" showIcon title={textOf(making.error)} description={<Mistakes error={making.error} />} />}
      {making.data && (
        <Section title={t.policies.result} more={<Link href={`/admin/policies/plans/${making.data.id}`}>{t.inbox.open}</Link>}>
          <Made key={making.data.id} plan={making.data} applied={close} />
        </Section>
      )}
    </>
  );
}

/** Made is the plan that was made, as it is now: somebody may approve it meanwhile. */
function Made({ plan: made, applied }: { plan: Plan; applied: () => void }) {
  const query = useQuery({ queryKey: ["plan", made.id], queryFn: ({ signal }) => plan(made.id, {}, signal), initialData: made });
  return <PlanResult plan={query.data} applied={applied} />;
}

/** Mistakes shows where in the text a mistake is, where the server says. */
function Mistakes({ error }: { error: unknown }) {
  const { t } = useTexts();
  if (!(error instanceof Problem)) return null;
  const line = error.body["line"];
  const hint = error.body["hint"];
  const found = [typeof line === "number" ? t.policies.line(line) : "", typeof hint === "string" ? hint : "", ...error.problems].filter((f) => f !== "" && f !== error.message);
  return found.length ? (
    <ul>
      {found.map((f) => (
        <li key={f}>{f}</li>
      ))}
    </ul>
  ) : null;
}
