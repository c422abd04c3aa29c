import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useState } from "react";
import { forMe, say, type Asked } from "../api/approvals";
import styles from "../admin/admin.module.css";
import { useTexts } from "../i18n";
import { Card, Section } from "../ui/page";
import { When } from "../ui/people";
import { useProblemText } from "../ui/states";
import { Text } from "./asked";

type Choice = { asked: Asked; what: "approve" | "refuse" };

/** Deciding is what waits for the reader to decide, of one kind or of all; nothing where there is nothing. */
export function Deciding({ kind }: { kind?: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["inbox", "approvals"], queryFn: ({ signal }) => forMe(signal), refetchInterval: 60_000 });
  const [choice, setChoice] = useState<Choice | null>(null);
  const list = (query.data?.items ?? []).filter((r) => !kind || r.kind === kind);
  if (list.length === 0) return null;
  const names = query.data?.names ?? {};
  return (
    <div style={{ marginBottom: 36 }}>
      <Section title={t.approvals.forYou} hint={t.approvals.forYouHint}>
        <Card rows>
          {list.map((r) => (
            <div key={r.id} className={styles.line} style={{ flexWrap: "wrap" }} data-approval={r.id}>
              <Text asked={r} names={names} />
              <When at={r.asked_at} />
              <Button type="primary" disabled={!!r.obstacle} onClick={() => setChoice({ asked: r, what: "approve" })}>
                {t.approvals.approve}
              </Button>
              <Button onClick={() => setChoice({ asked: r, what: "refuse" })}>{t.approvals.refuse}</Button>
            </div>
          ))}
        </Card>
      </Section>
      {choice && <Comment choice={choice} close={() => setChoice(null)} />}
    </div>
  );
}

/** Comment takes what there is to say about a decision, and makes it. */
function Comment({ choice: { asked, what }, close }: { choice: Choice; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [comment, setComment] = useState("");
  const send = useMutation({
    mutationFn: () => say(asked, what, comment.trim()),
    onSuccess: () => {
      void message.success(what === "approve" ? t.approvals.approved : t.approvals.refused);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["inbox"] }),
  });
  return (
    <Modal
      open
      title={what === "approve" ? t.approvals.approve : t.approvals.refuse}
      okText={what === "approve" ? t.approvals.approve : t.approvals.refuse}
      okButtonProps={{ loading: send.isPending, danger: what === "refuse" }}
      cancelText={t.shell.cancel}
      onOk={() => send.mutate()}
      onCancel={close}
    >
      <p>{t.approvals.commentHint}</p>
      <Input.TextArea aria-label={t.approvals.comment} placeholder={t.approvals.comment} maxLength={500} rows={3} value={comment} onChange={(e) => setComment(e.target.value)} />
      {send.error && (
        <p className={styles.alertTitle} role="alert">
          {textOf(send.error)}
        </p>
      )}
    </Modal>
  );
}
