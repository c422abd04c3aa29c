import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { answer, myHandovers, type Handover } from "../api/inbox";
import styles from "../admin/admin.module.css";
import { useTexts } from "../i18n";
import { Card, Section } from "../ui/page";
import { When } from "../ui/people";
import { useProblemText } from "../ui/states";
import { nameOf } from "./words";

/** Mine is what the reader is asked to take over; nothing where there is nothing. */
export function Mine() {
  const { t, locale } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ["inbox", "handovers"], queryFn: ({ signal }) => myHandovers(signal) });
  const say = useMutation({
    mutationFn: ({ id, what }: { id: string; what: "accept" | "refuse" }) => answer(id, what),
    onSuccess: (_, { what }) => void message.success(what === "accept" ? t.inbox.accepted : t.inbox.refused),
    onError: (error) => void message.error(textOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["inbox"] }),
  });
  const open = query.data?.items.filter((h) => h.state === "offered") ?? [];
  if (open.length === 0) return null;
  const called = (id: string) => nameOf(query.data?.names ?? {}, locale, id);
  const refuse = (h: Handover) => modal.confirm({ title: t.inbox.refuseTitle(called(h.thing)), content: t.inbox.refuseText, okText: t.inbox.refuse, okButtonProps: { danger: true }, cancelText: t.shell.cancel, onOk: () => say.mutateAsync({ id: h.id, what: "refuse" }).catch(() => {}) });
  return (
    <div style={{ marginBottom: 36 }}>
      <Section title={t.inbox.mine} hint={t.inbox.mineHint}>
        <Card rows>
          {open.map((h) => (
            <div key={h.id} className={styles.line} style={{ flexWrap: "wrap" }} data-handover={h.id}>
              <span className={styles.lineText}>
                <span className={styles.strong}>{called(h.thing)}</span> <span className={styles.small}>{t.inbox.from(called(h.from))}</span>
              </span>
              <When at={h.opened_at} />
              <Button type="primary" disabled={say.isPending} onClick={() => say.mutate({ id: h.id, what: "accept" })}>
                {t.inbox.accept}
              </Button>
              <Button disabled={say.isPending} onClick={() => refuse(h)}>
                {t.inbox.refuse}
              </Button>
            </div>
          ))}
        </Card>
      </Section>
    </div>
  );
}
