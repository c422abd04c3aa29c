import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useState } from "react";
import { Problem } from "../../api/client";
import { askErasure, confirmErasure, erasing, legalHolds, liftLegalHold, setLegalHold, withdrawErasure } from "../../api/erasure";
import type { Person } from "../../api/people";
import { useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { may, mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Section } from "../../ui/page";
import { useProblemText } from "../../ui/states";
import { AskOthers } from "../approvals/AskOthers";
import { Name } from "../Name";
import styles from "../admin.module.css";

/** useDeed does something about an erasure or a legal hold, and asks again for what that changes. */
function useDeed<A>(id: string, deed: (argument: A) => Promise<unknown>) {
  const queries = useQueryClient();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  return useMutation({
    mutationFn: deed,
    onSuccess: () => Promise.all([["person", id], ["erasure", id], ["legal-hold", id], ["people"], ["audit"]].map((queryKey) => queries.invalidateQueries({ queryKey }))),
    onError: (error) => void message.error(textOf(error)),
  });
}

/** Erasure is what can be erased of somebody who has left, and the legal hold that stops it; nothing for who may do neither. */
export function Erasure({ person: p }: { person: Person }) {
  const me = useMe();
  const left = p.status === "terminated" || p.status === "anonymised";
  return (
    <>
      {mayEverywhere(me, "legal_holds.read") && p.status !== "anonymised" && <Hold id={p.id} write={may(me, "legal_holds.write")} />}
      {left && may(me, "people.erase") && <Erasing id={p.id} />}
    </>
  );
}

function Erasing({ id }: { id: string }) {
  const { t } = useTexts();
  const me = useMe();
  const textOf = useProblemText();
  const [sure, setSure] = useState(false);
  const [asking, setAsking] = useState(false);
  const query = useQuery({ queryKey: ["erasure", id], queryFn: ({ signal }) => erasing(id, signal), retry: false });
  const ask = useDeed(id, () => askErasure(id));
  const withdraw = useDeed(id, () => withdrawErasure(id));
  const confirm = useDeed(id, () => confirmErasure(id));
  const e = query.data;
  const waits = e?.state === "waiting";
  const refused = query.error instanceof Problem && Object.hasOwn(t.erasure.refused, query.error.code) ? word(t.erasure.refused, query.error.code) : query.error && textOf(query.error);
  const counts = Object.entries((!refused && e?.erases) || {}).map(([kind, n]) => `${word(t.erasure.kind, kind)}: ${n}`);
  return (
    <Section title={t.erasure.title} hint={t.erasure.hint}>
      <Card rows>
        <div className={styles.line}>
          <span className={styles.lineText}>
            {refused || <span className={styles.strong}>{e?.state === "erased" ? t.erasure.erased : t.erasure.would}</span>}
            <div className={styles.small}>{counts.join(" · ")}</div>
          </span>
          {e?.state === "possible" && !refused && (
            <Button danger onClick={() => setSure(true)}>
              {t.erasure.ask}
            </Button>
          )}
        </div>
        {waits && e.request && (
          <div className={styles.line}>
            <span className={styles.lineText}>
              <Name id={e.request.asked_by} /> <span className={styles.small}>{t.erasure.waiting}</span>
            </span>
            <Button onClick={() => withdraw.mutate(undefined)}>{t.erasure.withdraw}</Button>
            {e.request.asked_by === me.person?.id ? (
              <Button onClick={() => setAsking(true)}>{t.approvals.othersTitle}</Button>
            ) : (
              <Button danger type="primary" disabled={!!refused} onClick={() => setSure(true)}>
                {t.erasure.confirm}
              </Button>
            )}
          </div>
        )}
      </Card>
      {asking && e?.request && <AskOthers kind="retention" object={e.request.id} close={() => setAsking(false)} />}
      <Modal
        open={sure}
        title={waits ? t.erasure.confirm : t.erasure.ask}
        okText={waits ? t.erasure.confirm : t.erasure.ask}
        okButtonProps={{ danger: true, loading: ask.isPending || confirm.isPending }}
        cancelText={t.shell.cancel}
        onOk={() => (waits ? confirm : ask).mutate(undefined, { onSettled: () => setSure(false) })}
        onCancel={() => setSure(false)}
      >
        <p className={styles.alertTitle}>{waits ? t.erasure.confirmWarning : t.erasure.warning}</p>
        <p className={styles.small}>{counts.join(" · ")}</p>
      </Modal>
    </Section>
  );
}

function Hold({ id, write }: { id: string; write: boolean }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const [reason, setReason] = useState("");
  const [asking, setAsking] = useState(false);
  const query = useQuery({ queryKey: ["legal-hold", id], queryFn: ({ signal }) => legalHolds(id, signal) });
  const set = useDeed(id, (why: string) => setLegalHold(id, why));
  const lift = useDeed(id, () => liftLegalHold(id));
  const hold = query.data?.items[0];
  if (!query.data || (!hold && !write)) return null;
  return (
    <Section title={t.erasure.holdTitle} hint={t.erasure.holdHint}>
      <Card rows>
        <div className={styles.line}>
          {hold ? (
            <span className={styles.lineText}>
              <span className={styles.strong}>{hold.reason}</span>
              <div className={styles.small}>
                {t.erasure.since(full(hold.since, locale))} {hold.lift_by ? t.erasure.lifting : ""}
              </div>
            </span>
          ) : (
            <Input value={reason} onChange={(e) => setReason(e.target.value)} placeholder={t.erasure.reason} aria-label={t.erasure.reason} maxLength={500} />
          )}
          {write && hold && (hold.lift_by && hold.lift_by === me.person?.id ? <Button onClick={() => setAsking(true)}>{t.approvals.othersTitle}</Button> : <Button onClick={() => lift.mutate(undefined)}>{t.erasure.lift}</Button>)}
          {write && !hold && (
            <Button disabled={!reason.trim()} loading={set.isPending} onClick={() => set.mutate(reason.trim())}>
              {t.erasure.hold}
            </Button>
          )}
        </div>
      </Card>
      {asking && hold && <AskOthers kind="retention" object={hold.id} close={() => setAsking(false)} />}
    </Section>
  );
}
