import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useState } from "react";
import { decide, myReviews, type Line } from "../api/reviews";
import styles from "../admin/admin.module.css";
import { useTexts, word } from "../i18n";
import { full } from "../i18n/time";
import { Card, Section } from "../ui/page";
import { useProblemText } from "../ui/states";
import { nameOf } from "./words";

/** Reviewing is whose places the reader is asked about; nothing where there is nothing. */
export function Reviewing() {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ["inbox", "reviews"], queryFn: ({ signal }) => myReviews(signal), refetchInterval: 60_000 });
  const [keeping, setKeeping] = useState<Line | null>(null);
  const [why, setWhy] = useState("");
  const say = useMutation({
    mutationFn: ({ line, decision, why }: { line: Line; decision: "keep" | "remove"; why: string }) => decide(line.review, line.membership, decision, why),
    onSuccess: (_, { decision }) => {
      void message.success(decision === "keep" ? t.evidence.kept : t.evidence.removed);
      setKeeping(null);
      setWhy("");
    },
    onError: (error) => void message.error(textOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["inbox"] }),
  });
  const data = query.data;
  if (!data || data.lines.length === 0) return null;
  return (
    <div style={{ marginBottom: 36 }}>
      {data.reviews.map((r) => (
        <Section key={r.id} title={t.evidence.mine} hint={`${t.evidence.silence[r.silence](full(r.ends_at, locale))} ${t.evidence.mineHint}`}>
          <Card rows>
            {data.lines
              .filter((l) => l.review === r.id)
              .map((l) => (
                <div key={l.membership} className={styles.line} style={{ flexWrap: "wrap" }} data-review={l.membership}>
                  <span className={styles.lineText}>
                    <span className={styles.strong}>{l.name}</span>{" "}
                    <span className={styles.small}>
                      {nameOf(data.names, locale, l.group)} · {word(t.words.role, l.role)}
                      {l.decision && ` · ${t.evidence.decided[l.decision]}`}
                    </span>
                  </span>
                  <Button disabled={say.isPending} onClick={() => setKeeping(l)}>
                    {t.evidence.keep}
                  </Button>
                  <Button danger disabled={say.isPending} onClick={() => say.mutate({ line: l, decision: "remove", why: "" })}>
                    {t.evidence.remove}
                  </Button>
                </div>
              ))}
          </Card>
        </Section>
      ))}
      <Modal
        open={!!keeping}
        title={keeping?.name}
        okText={t.evidence.keep}
        cancelText={t.shell.cancel}
        okButtonProps={{ disabled: !why.trim(), loading: say.isPending }}
        onOk={() => keeping && say.mutate({ line: keeping, decision: "keep", why: why.trim() })}
        onCancel={() => setKeeping(null)}
      >
        <Input.TextArea aria-label={t.evidence.why} placeholder={t.evidence.why} value={why} maxLength={500} onChange={(e) => setWhy(e.target.value)} autoSize={{ minRows: 2 }} />
      </Modal>
    </div>
  );
}
