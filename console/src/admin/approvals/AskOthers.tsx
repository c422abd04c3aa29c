import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Input, Modal } from "antd";
import { useState } from "react";
import { ask } from "../../api/approvals";
import { Problem } from "../../api/client";
import { useTexts } from "../../i18n";
import { useProblemText } from "../../ui/states";
import styles from "../admin.module.css";

/** AskOthers asks other administrators to agree to what nobody does alone: that a hold is released, a plan applied, somebody erased, or a legal hold ended. */
export function AskOthers({ kind, object, close }: { kind: "plan" | "release" | "retention"; object: string; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const send = useMutation({
    mutationFn: () => ask({ kind, object, reason: reason.trim() }),
    onSuccess: () => {
      void message.success(t.approvals.asked);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["approvals"] }),
  });
  return (
    <Modal open title={t.approvals.othersTitle} okText={t.approvals.send} cancelText={t.shell.cancel} okButtonProps={{ disabled: !reason.trim(), loading: send.isPending }} onOk={() => send.mutate()} onCancel={close}>
      <p>{{ plan: t.approvals.othersPlan, release: t.approvals.othersRelease, retention: t.approvals.othersRetention }[kind]}</p>
      <Input.TextArea aria-label={t.approvals.reason} placeholder={t.approvals.reason} maxLength={500} rows={3} value={reason} onChange={(e) => setReason(e.target.value)} />
      <p className={styles.small}>{t.approvals.askHint}</p>
      {send.error && (
        <p className={styles.alertTitle} role="alert">
          {send.error instanceof Problem && send.error.code === "step_up_required" ? t.glass.stepUp : textOf(send.error)}
        </p>
      )}
    </Modal>
  );
}
