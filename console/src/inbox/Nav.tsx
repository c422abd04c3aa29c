import { ApartmentOutlined, CommentOutlined, IdcardOutlined, SafetyOutlined } from "@ant-design/icons";
import { useLocation } from "wouter";
import { useTexts } from "../i18n";
import { owns } from "../session/rules";
import { useMe } from "../session/session";
import { NavItem } from "../ui/Frame";

/** Nav leads from what is the reader's own to the rest. */
export function Nav() {
  const { t } = useTexts();
  const me = useMe();
  const [location] = useLocation();
  return (
    <ul>
      <li>
        <NavItem href="/chat" current={false} icon={<CommentOutlined />}>
          {t.shell.backToChat}
        </NavItem>
      </li>
      <li>
        <NavItem href="/groups" current={location === "/groups"} icon={<ApartmentOutlined />}>
          {t.approvals.groups}
        </NavItem>
      </li>
      {(owns(me) || location.startsWith("/guests")) && (
        <li>
          <NavItem href="/guests" current={location.startsWith("/guests")} icon={<IdcardOutlined />}>
            {t.guests.mine}
          </NavItem>
        </li>
      )}
      {(me.admin || owns(me)) && (
        <li>
          <NavItem href="/admin" current={false} icon={<SafetyOutlined />}>
            {t.shell.admin}
          </NavItem>
        </li>
      )}
    </ul>
  );
}
