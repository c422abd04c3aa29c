import { Button } from "antd";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { nameIn, useTexts } from "../i18n";
import { date, known } from "../i18n/time";
import { useMe } from "../session/session";
import { Tag } from "../ui/people";
import { Empty } from "../ui/states";
import { Composer, forgetDrafts } from "./Composer";
import styles from "./chat.module.css";
import type { ChannelLog } from "./log";
import type { Connection } from "./socket";
import type { ChatStore } from "./store";
import { Timeline } from "./Timeline";

/** Conversation is one channel: what it is called, what was said, and where one writes. */
export function Conversation({ store, log, self, connection }: { store: ChatStore; log: ChannelLog; self: string; connection: Connection }) {
  const { t, locale } = useTexts();
  const { channel } = log;
  const name = nameIn(locale, channel.name, channel.key ?? channel.id);
  return (
    <>
      <Head log={log} connection={connection} />
      <Timeline store={store} log={log} self={self} />
      <Offline connection={connection} retry={() => store.retryNow()} />
      {channel.can_post === false ? <p className={styles.readOnly}>{t.chat.readOnly}</p> : <Composer key={channel.id} name={name} channel={channel.id} send={(draft) => void store.post(channel.id, draft)} />}
    </>
  );
}

function Head({ log, connection }: { log: ChannelLog; connection?: Connection }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const { channel } = log;
  const owned = channel.group && me.owns?.includes(channel.group.id);
  return (
    <header className={styles.head}>
      <h1 className={styles.title}>
        <span className={styles.hash}>#</span>
        {nameIn(locale, channel.name, channel.key ?? channel.id)}
      </h1>
      <span className={styles.group}>{nameIn(locale, channel.group?.name, channel.group?.key)}</span>
      {(channel.labels ?? []).map((l) => (
        <Tag key={l}>{l}</Tag>
      ))}
      {known(channel.until) && <Tag>{t.chat.kept(date(channel.until, locale))}</Tag>}
      {connection && owned && (
        <Link className={styles.invite} data-invite-vendor href={`/guests?invite=1&group=${channel.group?.id}&channel=${channel.id}`}>
          {t.guests.inviteVendor}
        </Link>
      )}
      {connection && (
        <span className={styles.state} data-phase={connection.phase} role="status">
          {connection.phase === "live" ? t.chat.live : connection.phase === "waiting" ? t.chat.offline : t.chat.connecting}
        </span>
      )}
    </header>
  );
}

/** Offline says that the connection is lost and when it is tried again. */
function Offline({ connection, retry }: { connection: Connection; retry: () => void }) {
  const { t } = useTexts();
  const until = connection.phase === "waiting" ? connection.until : 0;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!until) return;
    setNow(Date.now());
    const timer = window.setInterval(() => setNow(Date.now()), 500);
    return () => window.clearInterval(timer);
  }, [until]);
  const again = connection.phase === "connecting" && connection.again;
  if (!again && !(connection.phase === "waiting" && connection.wait > 600)) return null; // a short loss is no news
  return (
    <div className={styles.offline} role="status">
      <span>
        {again ? t.chat.connecting : t.chat.waiting(Math.max(1, Math.ceil((until - now) / 1000)))} · {t.chat.behind}
      </span>
      <Button size="small" type="link" disabled={again} onClick={retry}>
        {t.chat.now}
      </Button>
    </div>
  );
}

/** Over stands in place of a channel whose access ended: it says so, and holds nothing of it. */
export function Over({ log }: { log: ChannelLog }) {
  const { t } = useTexts();
  useEffect(() => forgetDrafts(log.channel.id), [log.channel.id]);
  return (
    <>
      <Head log={log} />
      <Empty full title={t.chat.gone} hint={t.chat.goneHint} />
    </>
  );
}
