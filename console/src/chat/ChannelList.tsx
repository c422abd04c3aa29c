import { SafetyOutlined } from "@ant-design/icons";
import { Fragment, useMemo } from "react";
import { nameIn, useTexts } from "../i18n";
import { owns } from "../session/rules";
import { useMe } from "../session/session";
import { NavItem } from "../ui/Frame";
import styles from "./chat.module.css";
import type { ChannelLog, State } from "./log";

type Grouped = { id: string; name: string; logs: ChannelLog[] };

/** ChannelList is the sidebar: the channels by project, with how much is unread. */
export function ChannelList({ state, current }: { state: State; current: string }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const grouped = useMemo(() => {
    const byID = new Map<string, Grouped>();
    for (const log of Object.values(state.logs)) {
      if (log.gone && log.channel.id !== current) continue;
      const group = log.channel.group;
      const id = group?.id ?? "";
      const entry = byID.get(id) ?? { id, name: group ? nameIn(locale, group.name, group.key) : t.chat.direct, logs: [] };
      entry.logs.push(log);
      byID.set(id, entry);
    }
    return [...byID.values()].sort((a, b) => a.name.localeCompare(b.name, locale));
  }, [state.logs, current, locale, t]);
  return (
    <>
      {(me.admin || owns(me)) && (
        <NavItem href="/admin" current={false} icon={<SafetyOutlined />}>
          {t.shell.admin}
        </NavItem>
      )}
      {grouped.map((g) => (
        <Fragment key={g.id}>
          <h2 className={styles.groupName}>{g.name}</h2>
          <ul>
            {g.logs.map((log) => (
              <li key={log.channel.id}>
                <Line log={log} current={log.channel.id === current} />
              </li>
            ))}
          </ul>
        </Fragment>
      ))}
    </>
  );
}

function Line({ log, current }: { log: ChannelLog; current: boolean }) {
  const { t, locale } = useTexts();
  const name = nameIn(locale, log.channel.name, log.channel.key ?? log.channel.id);
  const unread = !current && log.unread > 0;
  const note = unread ? (
    <span className={styles.unread} aria-label={t.chat.unread(log.unread)}>
      {log.unread > 99 ? "99+" : log.unread}
    </span>
  ) : undefined;
  return (
    <NavItem href={`/chat/${log.channel.id}`} current={current} icon={<span className={styles.hash}>#</span>} note={note}>
      <span className={log.gone ? styles.goneName : unread ? styles.unreadName : undefined}>{name}</span>
    </NavItem>
  );
}
