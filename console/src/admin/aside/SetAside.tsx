import { useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { about, denied, permission, retry, setAside, type SetAside } from "../../api/aside";
import { useTexts, word } from "../../i18n";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Code, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { useProblemText } from "../../ui/states";
import { Name } from "../Name";
import styles from "../admin.module.css";

const again = 5_000;

/** useSetAside asks what was set aside, of those who may know. */
export function useSetAside() {
  const shown = mayEverywhere(useMe(), permission.read);
  return useQuery({ queryKey: ["set-aside"], queryFn: ({ signal }) => setAside(signal), refetchInterval: again, enabled: shown });
}

/** Row is what waits about one subject; own: on the page of whom it is about. */
export function Row({ one, own }: { one: SetAside; own?: boolean }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const may = mayEverywhere(useMe(), permission.retry);
  const [busy, setBusy] = useState(false);
  const tryAgain = async () => {
    setBusy(true);
    try {
      await retry(one);
      void message.success(t.aside.retried);
    } catch (error) {
      void message.error(textOf(error));
    }
    await queries.invalidateQueries({ queryKey: ["set-aside"] });
    setBusy(false);
  };
  return (
    <div data-set-aside={one.subject}>
      <div className={styles.line} style={{ flexWrap: "wrap" }}>
        <div className={styles.lineText} style={{ minWidth: 220 }}>
          <div className={styles.chips}>
            <span className={styles.strong}>{own ? word(t.aside.follower, one.follower) : <Name id={one.person || one.subject} />}</span>
            {one.closed && <Tag tone="bad">{t.aside.closed}</Tag>}
          </div>
          <div className={styles.small}>
            {!own && <>{word(t.aside.follower, one.follower)} · </>}
            <Code>{one.kind}</Code> · {t.aside.events(one.events)}
          </div>
          <code className={styles.stepCode}>{one.problem}</code>
          <div className={styles.small}>
            {t.aside.since} <When at={one.since} /> · {t.aside.attempts(one.attempts)} · {t.aside.next} <When at={one.retry_at} />
          </div>
        </div>
        {may && (
          <Button onClick={() => void tryAgain()} loading={busy} data-retry>
            {t.aside.retry}
          </Button>
        )}
      </div>
    </div>
  );
}

/** SetAsideNotice says on the first page that something was set aside; nothing where there is nothing. */
export function SetAsideNotice() {
  const { t } = useTexts();
  const items = useSetAside().data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <section className={styles.alert} data-aside-notice>
      <h2 className={styles.alertTitle}>{t.aside.title}</h2>
      <p>
        {t.aside.home(items.length, denied(items).length)} <Link href="/admin/set-aside">{t.home.all}</Link>
      </p>
    </section>
  );
}

/** SetAsideOf says on a person's page what could not be handled about them; nothing where there is nothing. */
export function SetAsideOf({ id }: { id: string }) {
  const { t } = useTexts();
  const items = about(useSetAside().data?.items ?? [], id);
  if (items.length === 0) return null;
  return (
    <Section title={t.aside.title} hint={items.some((i) => i.closed) ? t.aside.personClosed : t.aside.personOpen} more={<Link href="/admin/set-aside">{t.home.all}</Link>}>
      <Card rows>
        {items.map((one) => (
          <Row key={`${one.follower} ${one.subject}`} one={one} own />
        ))}
      </Card>
    </Section>
  );
}
