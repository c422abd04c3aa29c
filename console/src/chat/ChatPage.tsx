import "../theme/chroma.css";
import { App as AntApp } from "antd";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Redirect, useLocation } from "wouter";
import { nameIn, useTexts } from "../i18n";
import { useMe, useSession } from "../session/session";
import { read, write } from "../session/stored";
import { Frame } from "../ui/Frame";
import { Empty, Failure, Loading } from "../ui/states";
import { ChannelList } from "./ChannelList";
import { forgetDrafts } from "./Composer";
import { Conversation, Over } from "./Conversation";
import type { State } from "./log";
import { initial } from "./log";
import { ChatStore, type Snapshot } from "./store";

const nothing: Snapshot = { state: initial(""), connection: { phase: "connecting" }, problem: null };

/** useChat keeps one live store for as long as the page is open. */
function useChat(self: string): { store: ChatStore | null; snapshot: Snapshot } {
  const { check } = useSession();
  const [store, setStore] = useState<ChatStore | null>(null);
  useEffect(() => {
    const made = new ChatStore(self, check);
    setStore(made);
    void made.start();
    return () => {
      made.stop();
      forgetDrafts();
      setStore(null);
    };
  }, [self, check]);
  const snapshot = useSyncExternalStore(store ? store.subscribe : () => () => {}, store ? store.getSnapshot : () => nothing);
  return { store, snapshot };
}

/** ChatPage is the channels on the left and one conversation. */
export default function ChatPage({ channel }: { channel: string }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const { store, snapshot } = useChat(me.person?.id ?? "");
  const { state, connection, problem } = snapshot;
  const log = state.logs[channel];
  const name = log ? nameIn(locale, log.channel.name, log.channel.key) : "";
  const unread = useMemo(() => Object.values(state.logs).reduce((n, l) => n + l.unread, 0), [state.logs]);
  useAnnounceEndings(state, channel);

  useEffect(() => {
    if (!store) return;
    store.look(channel);
    const seen = () => store.visible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, [store, channel]);
  useEffect(() => {
    if (log && !log.gone) write("last-channel", channel);
  }, [channel, log]);
  useEffect(() => {
    document.title = `${unread ? `(${unread}) ` : ""}${name || t.shell.chat} · ${t.shell.product}`;
  }, [unread, name, t]);

  const first = useMemo(() => (channel ? "" : (Object.values(state.logs).find((l) => !l.gone && l.channel.id === read("last-channel")) ?? Object.values(state.logs).find((l) => !l.gone))?.channel.id), [channel, state.logs]);

  return (
    <Frame title={name || t.shell.chat} nav={<ChannelList state={state} current={channel} />}>
      {!store || (!state.listed && !problem) ? (
        <Loading full />
      ) : !state.listed ? (
        <Failure full error={problem} retry={() => store.reload()} />
      ) : !channel && first ? (
        <Redirect to={`/chat/${first}`} replace />
      ) : !channel ? (
        <Empty full title={t.chat.noChannels} hint={t.chat.noChannelsHint} />
      ) : !log ? (
        <Empty full title={t.chat.missing} hint={t.chat.missingHint} />
      ) : log.gone ? (
        <Over log={log} />
      ) : (
        <Conversation key={channel} store={store} log={log} self={state.self} connection={connection} />
      )}
    </Frame>
  );
}

/** useAnnounceEndings says when the access to a channel ended that is not looked at; the one that is says so itself. */
function useAnnounceEndings(state: State, current: string) {
  const { message } = AntApp.useApp();
  const { t, locale } = useTexts();
  const [location] = useLocation();
  const told = useRef(new Set<string>());
  useEffect(() => {
    for (const [id, log] of Object.entries(state.logs)) {
      const key = `${id} ${log.gone}`;
      if (!log.gone || told.current.has(key)) continue;
      told.current.add(key);
      if (id !== current) void message.info(t.chat.goneOther(nameIn(locale, log.channel.name, log.channel.key)), 6);
    }
  }, [state.logs, current, message, t, locale, location]);
}
