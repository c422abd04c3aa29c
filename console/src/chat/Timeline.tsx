import { Button } from "antd";
import { Fragment, useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Message } from "../api/chat";
import { useTexts } from "../i18n";
import { dayOf, dayWords } from "../i18n/time";
import { useMe } from "../session/session";
import { Empty, Loading } from "../ui/states";
import styles from "./chat.module.css";
import type { ChannelLog } from "./log";
import { MessageItem, PendingItem } from "./MessageItem";
import type { ChatStore } from "./store";

const together = 5 * 60_000; // one head for what one person writes within this time

type Line = { message: Message; day: boolean; head: boolean; fresh: boolean };

/** lines answers where days begin, where heads stand, and where the unread ones begin. */
export function lines(messages: Message[], self: string, readUpTo: number): Line[] {
  let before: Message | undefined;
  let marked = false;
  return messages.map((message) => {
    const day = !before || dayOf(before.at ?? "") !== dayOf(message.at ?? "");
    const fresh = !marked && message.seq > readUpTo && message.author?.id !== self;
    marked ||= fresh;
    const head = day || fresh || before?.author?.id !== message.author?.id || Date.parse(message.at ?? "") - Date.parse(before?.at ?? "") > together;
    before = message;
    return { message, day, head, fresh };
  });
}

/** Timeline shows what was said, newest below; it stays at the newest unless one has scrolled away from it. */
export function Timeline({ store, log, self }: { store: ChatStore; log: ChannelLog; self: string }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const box = useRef<HTMLDivElement>(null);
  const before = useRef({ first: "", height: 0 });
  const stuck = useRef(true);
  const [away, setAway] = useState(false);
  const shown = useMemo(() => lines(log.messages, self, log.mark), [log.messages, self, log.mark]);

  const toNewest = useCallback(() => {
    const el = box.current;
    if (el) el.scrollTop = el.scrollHeight;
  }, []);
  const scrolled = () => {
    const el = box.current;
    if (!el) return;
    stuck.current = el.scrollHeight - el.scrollTop - el.clientHeight < 60;
    setAway(el.scrollHeight - el.scrollTop - el.clientHeight > el.clientHeight);
    if (el.scrollTop < 240) void store.earlier(log.channel.id);
  };

  const first = log.messages[0]?.id ?? "";
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    const last = before.current;
    if (stuck.current) el.scrollTop = el.scrollHeight;
    else if (last.first && last.first !== first) el.scrollTop += el.scrollHeight - last.height; // earlier ones came above: stay where one reads
    before.current = { first, height: el.scrollHeight };
  }, [first, log.messages, log.pending]);
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    const watch = new ResizeObserver(() => stuck.current && toNewest());
    watch.observe(el);
    if (el.firstElementChild) watch.observe(el.firstElementChild);
    return () => watch.disconnect();
  }, [toNewest, log.loaded]);
  // A first page that does not fill the window cannot be scrolled: read on.
  useLayoutEffect(() => {
    const el = box.current;
    if (el && log.loaded && !log.complete && el.scrollHeight <= el.clientHeight) void store.earlier(log.channel.id);
  }, [log.loaded, log.complete, log.messages, log.channel.id, store]);

  if (!log.loaded) return <Loading full />;
  if (shown.length === 0 && log.pending.length === 0) return <Empty full title={t.chat.noMessages} hint={t.chat.noMessagesHint} />;
  return (
    <div className={styles.timelineFrame}>
      <div className={styles.timeline} ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label={t.shell.chat}>
        <div className={styles.messages}>
          <p className={styles.beginning}>{log.complete ? t.chat.beginning : t.chat.earlier}</p>
          {shown.map(({ message, day, head, fresh }) => (
            <Fragment key={message.id}>
              {day && <div className={styles.day}>{message.at ? dayWords(message.at, locale) : ""}</div>}
              {fresh && <div className={styles.fresh}>{t.chat.newMessages}</div>}
              <MessageItem message={message} head={head} />
            </Fragment>
          ))}
          {log.pending.map((p) => (
            <PendingItem key={p.client_id} pending={p} id={self} name={me.person?.display_name ?? t.chat.you} again={() => void store.post(log.channel.id, p)} discard={() => store.discard(log.channel.id, p.client_id)} />
          ))}
        </div>
      </div>
      {away && (
        <Button className={styles.toNewest} size="small" shape="round" onClick={toNewest}>
          ↓ {t.chat.toNewest}
        </Button>
      )}
    </div>
  );
}
