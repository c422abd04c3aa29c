import { useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { useState } from "react";
import { decide, holds, isBurst, isOpen, size, type Hold } from "../../api/holds";
import { nameIn, useTexts, word } from "../../i18n";
import { Card, Page, Section } from "../../ui/page";
import { Tag, When, Who } from "../../ui/people";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import { Name } from "../Name";
import { AskOthers } from "../approvals/AskOthers";
import { BurstRow } from "./Burst";
import styles from "../admin.module.css";

/** HoldsPage shows the batches of removals that the guard stopped and bursts of freezes, and takes the decision. */
export default function HoldsPage() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["holds"], queryFn: ({ signal }) => holds(signal) });
  return (
    <Page title={t.holds.title} lead={t.holds.lead}>
      <Loaded query={query}>
        {(page) => {
          const open = page.items.filter(isOpen);
          const past = page.items.filter((h) => !isOpen(h));
          return (
            <>
              {open.length === 0 ? (
                <Card>
                  <Empty title={t.holds.none} hint={t.holds.noneHint} />
                </Card>
              ) : (
                <Card rows>
                  {open.map((h) => (h.burst ? <BurstRow key={h.id} hold={h} burst={h.burst} /> : <Batch key={h.id} hold={h} />))}
                </Card>
              )}
              {past.length > 0 && (
                <Section title={t.holds.past}>
                  <Card rows>
                    {past.map((h) => (
                      <div key={h.id} className={styles.line}>
                        <span className={styles.lineText}>
                          {word(t.holds.cause, h.cause)} · {t.words.people(size(h))}
                        </span>
                        <Tag>{word(isBurst(h) ? t.holds.burstState : t.holds.state, h.state)}</Tag>
                        <When at={h.decided_at ?? h.created_at} />
                      </div>
                    ))}
                  </Card>
                </Section>
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Batch({ hold: h }: { hold: Hold }) {
  const { t, locale } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState(false);
  const source = typeof h.source === "string" ? h.source : h.source?.id;
  const groupsOf = (id: string) => (h.removals ?? []).filter((r) => r.person?.id === id).map((r) => nameIn(locale, r.group?.name, r.group?.key));
  const ask = (what: "release" | "reject") =>
    modal.confirm({
      title: what === "release" ? t.holds.releaseTitle : t.holds.rejectTitle,
      content: what === "release" ? t.holds.releaseText(size(h)) : t.holds.rejectText,
      okText: what === "release" ? t.holds.release : t.holds.reject,
      okButtonProps: { danger: what === "release" },
      cancelText: t.shell.cancel,
      onOk: async () => {
        try {
          await decide(h.id, what);
          void message.success(t.holds.done);
        } catch (error) {
          void message.error(textOf(error));
        }
        await queries.invalidateQueries();
      },
    });
  return (
    <div>
      <div className={styles.line} style={{ flexWrap: "wrap" }}>
        <span className={styles.lineText} style={{ minWidth: 220 }}>
          <span className={styles.strong}>{word(t.holds.cause, h.cause)}</span>
          {source && (
            <span className={styles.muted}>
              {" · "}
              <Name id={source} known={h.source_name ?? (typeof h.source === "string" ? undefined : h.source?.name)} />
            </span>
          )}
          <div className={styles.small}>
            {t.holds.people(size(h))} · <When at={h.created_at} />
          </div>
          {(h.causes ?? []).some((c) => c.cause !== h.cause) && (
            <div className={styles.small}>{t.holds.causes((h.causes ?? []).map((c) => t.holds.causeOf(word(t.holds.cause, c.cause), c.people)).join(t.holds.and))}</div>
          )}
          {h.reason && (
            <div className={styles.small}>
              <Why hold={h} /> {h.breach && h.about?.kind !== "group" && size(h) > h.breach.people && t.holds.more(size(h))}
            </div>
          )}
        </span>
        {(h.people ?? []).length > 0 && (
          <Button type="text" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? t.holds.hide : t.holds.show}
          </Button>
        )}
        <Button onClick={() => ask("reject")}>{t.holds.reject}</Button>
        <Button danger onClick={() => (h.needs_approval ? setAsking(true) : ask("release"))} data-release>
          {h.needs_approval ? t.holds.askRelease : t.holds.release}
        </Button>
      </div>
      {asking && <AskOthers kind="release" object={h.id} close={() => setAsking(false)} />}
      {open && (
        <div className={`${styles.grid} ${styles.gap}`}>
          {(h.people ?? []).map((p) => {
            const id = typeof p === "string" ? p : p.id;
            return <Who key={id} id={id} name={typeof p === "string" ? undefined : p.display_name} note={groupsOf(id).join(", ")} link />;
          })}
        </div>
      )}
    </div>
  );
}

/** Why says the limit that was exceeded, with the names of what it is about. */
function Why({ hold: h }: { hold: Hold }) {
  const { t, locale } = useTexts();
  const b = h.breach;
  const say = t.holds.why;
  if (!b) return <>{h.reason}</>;
  const name = h.about && nameIn(locale, h.about.names, h.about.name);
  if (name && h.about) return <>{say[h.about.kind](name, b.people, b.of ?? 0)}</>;
  if (b.admin) return <>{say.admin(b.people, b.of ?? 0)}</>;
  if (b.attribute) return <>{say.attribute(word(t.ldap.field, b.attribute), b.cleared ?? false, b.people, b.of ?? 0)}</>;
  return <>{say.limit(b.people, b.limit)}</>;
}
