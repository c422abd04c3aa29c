import { BellOutlined, LogoutOutlined, MenuOutlined, SettingOutlined } from "@ant-design/icons";
import { Button, Popover } from "antd";
import { useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useTexts } from "../i18n";
import { useUnread } from "../inbox/useUnread";
import { useMe, useSession } from "../session/session";
import { Avatar } from "./people";
import { Mark } from "./Mark";
import { LanguageSwitch, ModeSwitch } from "./Preferences";
import styles from "./ui.module.css";

/** Frame is the window behind the sign-in: a sidebar that on a phone slides in, and the page. */
export function Frame({ nav, title, children }: { nav: ReactNode; title: string; children: ReactNode }) {
  const { t } = useTexts();
  const [location] = useLocation();
  const [openAt, setOpenAt] = useState<string | null>(null); // open until the address changes
  const open = openAt === location;
  return (
    <div className={open ? `${styles.frame} ${styles.open}` : styles.frame}>
      <aside className={styles.sidebar}>
        <div className={styles.brand}>
          <Link href="/">
            <Mark />
            <span>{t.shell.product}</span>
          </Link>
        </div>
        <nav className={styles.nav} aria-label={t.shell.menu}>
          {nav}
        </nav>
        <InboxLink current={location === "/inbox"} />
        <Account />
      </aside>
      <button type="button" className={styles.veil} aria-label={t.shell.cancel} onClick={() => setOpenAt(null)} />
      <main className={styles.main}>
        <div className={styles.bar}>
          <Button type="text" icon={<MenuOutlined />} aria-label={t.shell.menu} onClick={() => setOpenAt(location)} />
          <span>{title}</span>
        </div>
        {children}
      </main>
    </div>
  );
}

/** NavItem is a line of the sidebar. */
export function NavItem({ href, current, icon, children, note, onClick }: { href: string; current: boolean; icon?: ReactNode; children: ReactNode; note?: ReactNode; onClick?: () => void }) {
  return (
    <Link href={href} className={styles.navItem} aria-current={current ? "page" : undefined} onClick={onClick}>
      {icon && <span className={styles.navIcon}>{icon}</span>}
      <span className={styles.navText}>{children}</span>
      {note && <span className={styles.navNote}>{note}</span>}
    </Link>
  );
}

/** InboxLink leads to the inbox from everywhere, and says how much is not read. */
function InboxLink({ current }: { current: boolean }) {
  const { t } = useTexts();
  const me = useMe();
  const unread = useUnread();
  if (!me.person) return null;
  return (
    <div className={styles.inbox}>
      <NavItem
        href="/inbox"
        current={current}
        icon={<BellOutlined />}
        note={
          unread > 0 && (
            <span className={styles.badge} aria-label={t.inbox.unread(unread)}>
              {unread > 99 ? "99+" : unread}
            </span>
          )
        }
      >
        {t.inbox.title}
      </NavItem>
    </div>
  );
}

function Account() {
  const { t } = useTexts();
  const me = useMe();
  const { signOut } = useSession();
  const [busy, setBusy] = useState(false);
  const name = me.person?.display_name || t.shell.administrator;
  const menu = (
    <div className={styles.accountMenu}>
      <div className={styles.accountRow}>
        {t.shell.language}
        <LanguageSwitch />
      </div>
      <div className={styles.accountRow}>
        {t.shell.appearance}
        <ModeSwitch />
      </div>
      <Button
        icon={<LogoutOutlined />}
        loading={busy}
        onClick={() => {
          setBusy(true);
          void signOut();
        }}
      >
        {t.shell.signOut}
      </Button>
    </div>
  );
  return (
    <div className={styles.account}>
      <Popover content={menu} trigger="click" placement="topLeft" arrow={false}>
        <button type="button" className={styles.accountButton} aria-label={t.shell.account}>
          <Avatar id={me.person?.id ?? "admin"} name={name} size={26} />
          <span className={styles.accountName}>{name}</span>
          <SettingOutlined className={styles.navIcon} />
        </button>
      </Popover>
    </div>
  );
}
