import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button, InputNumber, Modal, Select } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { beginReview, type Decision, type Review } from "../../api/reviews";
import { useTexts } from "../../i18n";
import { useProblemText } from "../../ui/states";
import { ChoosePerson } from "../access/choose";
import styles from "../admin.module.css";

const days = (n: number) => new Date(Date.now() + n * 86_400_000).toISOString();

/** BeginReview asks whether the people of a project group still need their places. */
export function BeginReview({ group, name }: { group: string; name: string }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [open, setOpen] = useState(false);
  const [reviewer, setReviewer] = useState<Review["reviewer"]>("owner");
  const [named, setNamed] = useState("");
  const [silence, setSilence] = useState<Decision>("remove");
  const [answer, setAnswer] = useState(14);
  const [grace, setGrace] = useState(7);
  const begin = useMutation({
    mutationFn: () => beginReview({ about: "group", ref: group, reviewer, ...(reviewer === "person" && { named }), silence, until: days(answer), ends_at: days(answer + grace) }),
    onSuccess: async (r) => {
      await queries.invalidateQueries({ queryKey: ["reviews"] });
      go(`/admin/evidence/reviews/${r.id}`);
    },
  });
  return (
    <>
      <Button data-begin-review onClick={() => setOpen(true)}>
        {t.evidence.begin}
      </Button>
      <Modal
        open={open}
        title={t.evidence.beginOf(name)}
        okText={t.evidence.begin}
        cancelText={t.shell.cancel}
        okButtonProps={{ disabled: reviewer === "person" && !named, loading: begin.isPending }}
        onOk={() => begin.mutate()}
        onCancel={() => {
          setOpen(false);
          begin.reset();
        }}
      >
        <p>{t.evidence.beginText}</p>
        <Field label={t.evidence.who}>
          <Select value={reviewer} onChange={setReviewer} aria-label={t.evidence.who} style={{ width: "100%" }} options={(["owner", "manager", "person"] as const).map((value) => ({ value, label: t.evidence.reviewers[value] }))} />
          {reviewer === "person" && <ChoosePerson value={named} onChange={(id) => setNamed(id ?? "")} />}
        </Field>
        <Field label={t.evidence.noAnswer}>
          <Select value={silence} onChange={setSilence} aria-label={t.evidence.noAnswer} style={{ width: "100%" }} options={(["remove", "keep"] as const).map((value) => ({ value, label: t.evidence.said[value] }))} />
          {silence === "remove" && <span className={styles.small}>{t.evidence.ruledHint}</span>}
        </Field>
        <Field label={t.evidence.within}>
          <InputNumber min={1} max={300} precision={0} value={answer} onChange={(n) => setAnswer(n ?? 14)} aria-label={t.evidence.within} />
        </Field>
        <Field label={t.evidence.grace}>
          <InputNumber min={0} max={90} precision={0} value={grace} onChange={(n) => setGrace(n ?? 7)} aria-label={t.evidence.grace} />
        </Field>
        {begin.error && (
          <p className={styles.alertTitle} role="alert">
            {textOf(begin.error)}
          </p>
        )}
      </Modal>
    </>
  );
}

function Field({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className={styles.gap}>
      <div className={styles.small}>{label}</div>
      {children}
    </div>
  );
}
