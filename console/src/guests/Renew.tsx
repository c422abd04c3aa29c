import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useState } from "react";
import { renew, type Guest } from "../api/guests";
import styles from "../admin/admin.module.css";
import { useTexts } from "../i18n";
import { known } from "../i18n/time";
import { Field, inDays, localText, Refused, Term, Until } from "./words";

/** Renew says until when a guest stays, and shows what that came to. */
export function Renew({ mine, guest: g, close }: { mine: boolean; guest: Guest; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const [until, setUntil] = useState(() => (known(g.until) ? localText(new Date(new Date(g.until).getTime() + 90 * 86_400_000)) : inDays(90)));
  const [reason, setReason] = useState("");
  const send = useMutation({
    mutationFn: () => renew(mine, g.id, { until: new Date(until).toISOString(), reason: reason.trim() }),
    onSuccess: (now) => {
      if (now.waiting || (now.bound_by && now.bound_by !== "asked")) return;
      void message.success(t.guests.renewed);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["guests"] }),
  });
  const now = send.data;
  return (
    <Modal
      open
      title={t.guests.renewTitle(g.name)}
      onCancel={close}
      footer={
        now ? (
          <Button type="primary" onClick={close}>
            {t.guests.dismiss}
          </Button>
        ) : (
          <Button type="primary" data-send-renewal disabled={!until || !reason.trim()} loading={send.isPending} onClick={() => send.mutate()}>
            {t.guests.renew}
          </Button>
        )
      }
    >
      {now ? (
        <p role="status">{now.waiting ? t.guests.waits : <Term until={now.until} bound={now.bound_by} />}</p>
      ) : (
        <>
          <p className={styles.muted} style={{ marginBottom: 16 }}>
            <Term until={g.until} />. {t.guests.renewHint}
          </p>
          <Field label={t.guests.until}>
            <Until label={t.guests.until} value={until} onChange={setUntil} />
          </Field>
          <Field label={t.guests.reason} hint={t.guests.reasonHint}>
            <Input aria-label={t.guests.reason} value={reason} maxLength={500} onChange={(e) => setReason(e.target.value)} />
          </Field>
          <Refused error={send.error} />
        </>
      )}
    </Modal>
  );
}
