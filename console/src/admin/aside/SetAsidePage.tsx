import { denied, permission } from "../../api/aside";
import { useTexts } from "../../i18n";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page } from "../../ui/page";
import { Empty, Loaded, NotFound } from "../../ui/states";
import { Row, useSetAside } from "./SetAside";
import styles from "../admin.module.css";

/** SetAsidePage shows what followers of the feed could not handle, who is denied everything because of it, and has it tried again. */
export default function SetAsidePage() {
  const { t } = useTexts();
  const shown = mayEverywhere(useMe(), permission.read);
  const query = useSetAside();
  if (!shown) return <NotFound full />;
  return (
    <Page title={t.aside.title} lead={t.aside.lead}>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <Empty title={t.aside.none} hint={t.aside.noneHint} />
            </Card>
          ) : (
            <>
              {denied(items).length > 0 && <p className={styles.summary}>{t.aside.denied(denied(items).length)}</p>}
              <Card rows>
                {items.map((one) => (
                  <Row key={`${one.follower} ${one.subject}`} one={one} />
                ))}
              </Card>
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
