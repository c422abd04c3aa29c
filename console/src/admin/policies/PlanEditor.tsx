import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Alert, App as AntApp, Button, Input } from "antd";
import { useState } from "react";
import { Problem } from "../../api/client";
import { applyPlan, makePlan } from "../../api/policies";
import { useTexts } from "../../i18n";
import { useProblemText } from "../../ui/states";
import { PlanResult } from "./PlanResult";
import styles from "../admin.module.css";

/** PlanEditor takes a new text, shows what it would do, and applies that very plan. */
export function PlanEditor({ current, close }: { current: string; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [text, setText] = useState("");
  const plan = useMutation({ mutationFn: makePlan });
  const apply = useMutation({
    mutationFn: ({ id, hash, confirm }: { id: string; hash: string; confirm: boolean }) => applyPlan(id, hash, confirm),
    onSuccess: async () => {
      void message.success(t.policies.applied);
      close();
      await queries.invalidateQueries();
    },
  });
  const change = (next: string) => {
    setText(next);
    plan.reset(); // a plan belongs to the text it was made of
    apply.reset();
  };
  return (
    <>
      <p className={styles.muted}>{t.policies.planHint}</p>
      <Input.TextArea className={`${styles.editor} ${styles.gap}`} rows={20} value={text} onChange={(e) => change(e.target.value)} spellCheck={false} placeholder="apiVersion: rollcall/v1" aria-label={t.policies.plan} />
      <div className={styles.buttons}>
        <Button data-make-plan type="primary" disabled={!text.trim()} loading={plan.isPending} onClick={() => plan.mutate(text)}>
          {t.policies.makePlan}
        </Button>
        {current && !text && <Button data-start-current onClick={() => change(current)}>{t.policies.startFromCurrent}</Button>}
        <Button type="text" onClick={close}>
          {t.shell.cancel}
        </Button>
      </div>
      {plan.error && <Alert className={styles.gap} type="error" showIcon title={textOf(plan.error)} description={<Mistakes error={plan.error} />} />}
      {plan.data && <PlanResult plan={plan.data} busy={apply.isPending} problem={apply.error ? textOf(apply.error) : ""} apply={(confirm) => apply.mutate({ id: plan.data.id, hash: plan.data.hash, confirm })} />}
    </>
  );
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
