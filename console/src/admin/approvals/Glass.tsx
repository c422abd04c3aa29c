import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, App as AntApp, Button, Cascader, Input, InputNumber, Modal } from "antd";
import { useState } from "react";
import { Problem } from "../../api/client";
import { askGlass, endGlass, glasses, readGlass, type Glass } from "../../api/glass";
import { groups } from "../../api/groups";
import type { Called } from "../../api/inbox";
import { MessageItem } from "../../chat/MessageItem";
import { nameIn, useTexts } from "../../i18n";
import { full, known } from "../../i18n/time";
import { nameOf } from "../../inbox/words";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Section } from "../../ui/page";
import { When } from "../../ui/people";
import { Empty, Loaded, useProblemText, More } from "../../ui/states";
import styles from "../admin.module.css";

/** GlassSection is who reads a channel without a place in it, after a second person agreed; and how to ask for that. */
export function GlassSection() {
  const { t } = useTexts();
  const me = useMe();
  const [asking, setAsking] = useState(false);
  const [reading, setReading] = useState<Glass | null>(null);
  const query = useInfiniteQuery({
    queryKey: ["glass"],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => glasses(pageParam, signal),
    getNextPageParam: (page) => page.next,
    refetchInterval: 30_000,
  });
  return (
    <Section title={t.glass.title} hint={t.glass.hint} more={mayEverywhere(me, "break_glass.read") && <Button onClick={() => setAsking(true)}>{t.glass.ask}</Button>}>
      <Loaded query={query}>
        {(data) => {
          const items = data.pages.flatMap((p) => p.items);
          const names: Called = Object.assign({}, ...data.pages.map((p) => p.names));
          return (
            <>
              <Card rows={items.length > 0}>
                {items.length === 0 ? <Empty title={t.glass.none} /> : items.map((g) => <Line key={g.id} glass={g} names={names} read={() => setReading(g)} />)}
              </Card>
              <More query={query} />
              {reading && <Reading glass={reading} names={names} close={() => setReading(null)} />}
            </>
          );
        }}
      </Loaded>
      {asking && <Asking close={() => setAsking(false)} />}
    </Section>
  );
}

function Line({ glass: g, names, read }: { glass: Glass; names: Called; read: () => void }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => endGlass(g.id),
    onSuccess: () => void message.success(t.glass.ended),
    onError: (error) => void message.error(textOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["glass"] }),
  });
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-glass={g.id}>
      <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
        <span className={styles.strong}>{nameOf(names, locale, g.person)}</span> · {nameOf(names, locale, g.channel)} · {t.glass.state[g.state]}
        <div className={styles.small}>{g.reason}</div>
        <div className={styles.small}>
          {known(g.until) ? t.glass.until(full(g.until, locale)) : t.glass.span(g.minutes)}
          {g.reads > 0 && ` · ${t.glass.reads(g.reads)}`}
        </div>
        {g.decisions.map((d) => (
          <div key={d.approver} className={styles.small}>
            {nameOf(names, locale, d.approver)} {d.agrees ? t.approvals.agreed : t.approvals.disagreed}
            {d.comment && `: ${d.comment}`}
          </div>
        ))}
      </span>
      <When at={g.asked_at} />
      {g.state === "open" && g.person === me.person?.id && (
        <Button type="primary" onClick={read} data-read>
          {t.glass.read}
        </Button>
      )}
      {g.state === "open" && mayEverywhere(me, "break_glass.end") && (
        <Button danger loading={end.isPending} onClick={() => end.mutate()}>
          {t.glass.end}
        </Button>
      )}
    </div>
  );
}

/** Refused says why something was refused, and where a second factor is proved. */
function Refused({ error }: { error: unknown }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  if (!error) return null;
  return (
    <p className={styles.alertTitle} role="alert">
      {error instanceof Problem && error.code === "step_up_required" ? t.glass.stepUp : textOf(error)}
    </p>
  );
}

function Asking({ close }: { close: () => void }) {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const all = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  const [channel, setChannel] = useState("");
  const [minutes, setMinutes] = useState<number | null>(60);
  const [reason, setReason] = useState("");
  const send = useMutation({
    mutationFn: () => askGlass({ channel, minutes: minutes ?? 0, reason: reason.trim() }),
    onSuccess: () => {
      void message.success(t.glass.asked);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["glass"] }),
  });
  const options = (all.data?.items ?? []).map((g) => ({
    value: g.id,
    label: nameIn(locale, g.name, g.key ?? g.id),
    children: (g.channels ?? []).map((c) => ({ value: c.id, label: nameIn(locale, c.name, c.key ?? c.id) })),
  }));
  return (
    <Modal open title={t.glass.ask} okText={t.glass.ask} cancelText={t.shell.cancel} okButtonProps={{ disabled: !channel || !minutes || !reason.trim(), loading: send.isPending }} onOk={() => send.mutate()} onCancel={close}>
      <p>{t.glass.askText}</p>
      <Cascader style={{ width: "100%", marginBottom: 12 }} aria-label={t.glass.channel} placeholder={t.glass.channel} options={options} showSearch onChange={(value) => setChannel(String(value?.[1] ?? ""))} />
      <InputNumber style={{ width: "100%", marginBottom: 12 }} aria-label={t.glass.minutes} min={1} max={240} precision={0} value={minutes} onChange={setMinutes} suffix={t.glass.minutesUnit} />
      <Input.TextArea aria-label={t.glass.reason} placeholder={t.glass.reason} maxLength={500} rows={3} value={reason} onChange={(e) => setReason(e.target.value)} />
      <p className={styles.small}>{t.glass.reasonHint}</p>
      <Refused error={send.error} />
    </Modal>
  );
}

/** Reading shows the messages under a banner that says what this is. Nothing of them is kept when it closes. */
function Reading({ glass: g, names, close }: { glass: Glass; names: Called; close: () => void }) {
  const { t, locale } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ["glass", g.id, "messages"],
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam, signal }) => readGlass(g.id, pageParam, signal),
    getNextPageParam: (page) => (page.next ? Number(page.next) : undefined),
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
  const items = [...(query.data?.pages ?? [])].reverse().flatMap((p) => p.items);
  return (
    <Modal open width={760} title={nameOf(names, locale, g.channel)} footer={null} onCancel={close} destroyOnHidden>
      <Alert type="warning" showIcon title={t.glass.banner(nameOf(names, locale, g.channel), full(g.until ?? "", locale))} style={{ marginBottom: 12 }} />
      {query.error ? (
        <Refused error={query.error} />
      ) : (
        <Loaded query={query}>
          {() => (
            <>
              {query.hasNextPage && (
                <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  {t.glass.older}
                </Button>
              )}
              {items.length === 0 && <Empty title={t.glass.empty} />}
              {items.map((m) => (
                <MessageItem key={m.id} message={m} head />
              ))}
            </>
          )}
        </Loaded>
      )}
    </Modal>
  );
}
