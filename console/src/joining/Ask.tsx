import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Input, InputNumber, Modal, Select } from "antd";
import { useState } from "react";
import { ask, type Place } from "../api/approvals";
import styles from "../admin/admin.module.css";
import { nameIn, useTexts, word } from "../i18n";
import { useProblemText } from "../ui/states";

/** Ask takes why somebody asks for a place or a stronger role, and for how long. */
export function Ask({ place, kind, close }: { place: Place; kind: "join" | "elevation"; close: () => void }) {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [days, setDays] = useState<number | null>(kind === "elevation" ? 1 : null);
  const roles = place.has === "participant" ? ["owner"] : ["participant", "owner"];
  const [role, setRole] = useState(roles[0]);
  const send = useMutation({
    mutationFn: () => ask({ kind, object: place.id, reason: reason.trim(), ...(days ? { days } : {}), ...(kind === "elevation" && role ? { role } : {}) }),
    onSuccess: () => {
      void message.success(t.approvals.asked);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["joining"] }),
  });
  const name = nameIn(locale, place.names, place.key);
  return (
    <Modal
      open
      title={kind === "join" ? t.approvals.askTitle(name) : t.approvals.elevateTitle(name)}
      okText={t.approvals.send}
      okButtonProps={{ disabled: !reason.trim(), loading: send.isPending }}
      cancelText={t.shell.cancel}
      onOk={() => send.mutate()}
      onCancel={close}
    >
      <p>{t.approvals.askHint}</p>
      <Input.TextArea aria-label={t.approvals.reason} placeholder={t.approvals.reason} maxLength={500} rows={3} value={reason} onChange={(e) => setReason(e.target.value)} />
      <div className={`${styles.gap} ${styles.filters}`}>
        {kind === "elevation" && <Select aria-label={t.approvals.role} value={role} onChange={setRole} options={roles.map((r) => ({ value: r, label: word(t.words.role, r) }))} />}
        <InputNumber aria-label={t.approvals.daysLabel} placeholder={t.approvals.daysLabel} min={1} max={3650} precision={0} value={days} onChange={setDays} suffix={t.approvals.daysUnit} style={{ width: 180 }} />
      </div>
      {send.error && (
        <p className={styles.alertTitle} role="alert">
          {textOf(send.error)}
        </p>
      )}
    </Modal>
  );
}
