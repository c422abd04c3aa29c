import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { archiveOf, closings, lookClosing, setClosed, type ClosedProject } from "../api/guests";
import styles from "../admin/admin.module.css";
import { nameIn, useTexts } from "../i18n";
import { date, full } from "../i18n/time";
import { Card, Section } from "../ui/page";
import { Field, Refused } from "./words";

/** CloseProject is how who owns a project group closes it. */
export function CloseProject({ group }: { group: string }) {
  const { t } = useTexts();
  const [asked, setAsked] = useState(false);
  return (
    <Section title={t.guests.closing.title} hint={t.guests.closing.hint}>
      <div className={styles.buttons}>
        <Button danger data-close-project onClick={() => setAsked(true)}>
          {t.guests.closing.close}
        </Button>
      </div>
      {asked && <Ask group={group} open={false} close={() => setAsked(false)} />}
    </Section>
  );
}

/** ClosedProjects are those that the caller closed, or somebody else of those who owned them: their archives, and the way back. */
export function ClosedProjects() {
  const { t, locale } = useTexts();
  const list = useQuery({ queryKey: ["guests", "closings"], queryFn: ({ signal }) => closings(signal) });
  const [again, setAgain] = useState<ClosedProject | null>(null);
  if (!list.data?.items.length) return null;
  return (
    <Section title={t.guests.closing.closed} hint={t.guests.closing.closedHint}>
      <Card rows>
        {list.data.items.map((c) => (
          <div key={c.id} className={styles.line} style={{ flexWrap: "wrap" }} data-closing={c.id}>
            <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 200 }}>
              <span className={styles.strong}>{nameIn(locale, c.names, c.key)}</span>
              <div className={styles.small}>{t.guests.closing.since(full(c.at, locale), date(c.until, locale))}</div>
            </span>
            <span className={styles.buttons} style={{ marginTop: 0 }}>
              <Button href={archiveOf(c.id)} data-archive>
                {t.guests.closing.archive}
              </Button>
              <Button data-reopen onClick={() => setAgain(c)}>
                {t.guests.closing.reopen}
              </Button>
            </span>
          </div>
        ))}
      </Card>
      {again && <Ask group={again.group} open close={() => setAgain(null)} />}
    </Section>
  );
}

/** Ask shows first what closing a project group ends, or opening it again gives, and does that very thing. */
function Ask({ group, open, close }: { group: string; open: boolean; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const [, go] = useLocation();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [key, setKey] = useState("");
  const look = useMutation({ mutationFn: () => lookClosing(group, { open, reason: reason.trim() }) });
  const apply = useMutation({
    mutationFn: () => setClosed(group, { open, reason: reason.trim(), plan: look.data?.plan ?? "", basis: look.data?.basis ?? "" }),
    onSuccess: () => {
      void message.success(t.guests.applied);
      close();
      if (!open) go("/guests");
    },
    onSettled: () => queries.invalidateQueries(),
  });
  const shown = look.data;
  return (
    <Modal
      open
      width={640}
      title={open ? t.guests.closing.reopenTitle : t.guests.closing.closeTitle}
      onCancel={close}
      footer={
        <>
          <Button data-look-closing type={shown ? "default" : "primary"} disabled={!reason.trim()} loading={look.isPending} onClick={() => { apply.reset(); look.mutate(); }}>
            {t.guests.look}
          </Button>
          {shown && (
            <Button type="primary" danger={!open} data-apply-closing disabled={!open && key.trim() !== shown.key} loading={apply.isPending} onClick={() => apply.mutate()}>
              {open ? t.guests.closing.reopen : t.guests.closing.close}
            </Button>
          )}
        </>
      }
    >
      <p style={{ marginBottom: 14 }}>{open ? t.guests.closing.reopenText : t.guests.closing.closeText}</p>
      <Field label={t.guests.reason}>
        <Input aria-label={t.guests.reason} value={reason} maxLength={500} onChange={(e) => { setReason(e.target.value); look.reset(); apply.reset(); }} />
      </Field>
      <Refused error={look.error ?? apply.error} />
      {shown && (
        <Card rows>
          <Line label={t.guests.closing.people} text={t.words.people(shown.people)} />
          <Line label={open ? t.guests.closing.back : t.guests.closing.archived} text={shown.channels.map((c) => `#\u00a0${c}`).join(" ") || "–"} />
          {shown.guests.length > 0 && <Line label={t.guests.closing.guests} text={shown.guests.map((g) => (g.stays ? t.guests.closing.stays(g.name, g.company) : `${g.name} (${g.company})`)).join(", ")} />}
          {shown.waiting > 0 && <Line label={t.guests.closing.waiting} text={String(shown.waiting)} />}
          {shown.approval && <Line label={t.guests.closing.approval} text={t.guests.closing.approvalHint} />}
        </Card>
      )}
      {shown && !open && (
        <div style={{ marginTop: 14 }}>
          <Field label={t.guests.closing.type(shown.key)}>
            <Input aria-label={t.guests.closing.type(shown.key)} value={key} autoComplete="off" onChange={(e) => setKey(e.target.value)} />
          </Field>
        </div>
      )}
    </Modal>
  );
}

function Line({ label, text }: { label: string; text: string }) {
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }}>
      <span className={styles.small} style={{ minWidth: 140 }}>{label}</span>
      <span className={styles.lineText} style={{ whiteSpace: "normal" }}>{text}</span>
    </div>
  );
}
