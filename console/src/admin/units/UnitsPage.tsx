import { useMutation, useQuery } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { byDeclaration, planWithdrawal, successions, type Succession } from "../../api/units";
import { nameIn, useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Code, Page } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import { Name } from "../Name";
import { Declare } from "./Declare";
import styles from "../admin.module.css";

/** UnitsPage is what was declared of units, and where that is done: renumbered, split, merged. */
export default function UnitsPage() {
  const { t } = useTexts();
  const me = useMe();
  const [declaring, setDeclaring] = useState(false);
  const query = useQuery({ queryKey: ["successions"], queryFn: ({ signal }) => successions(signal) });
  return (
    <Page
      title={t.units.title}
      lead={t.units.lead}
      actions={
        !declaring &&
        mayEverywhere(me, "policies.plan") && (
          <Button type="primary" data-declare onClick={() => setDeclaring(true)}>
            {t.units.declare}
          </Button>
        )
      }
    >
      {declaring ? (
        <Declare close={() => setDeclaring(false)} />
      ) : (
        <Loaded query={query}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty title={t.units.none} hint={t.units.noneHint} />
            ) : (
              <Card rows>
                {byDeclaration(page.items).map((items) => (
                  <Declaration key={items[0]?.id} items={items} />
                ))}
              </Card>
            )
          }
        </Loaded>
      )}
    </Page>
  );
}

function Declaration({ items }: { items: Succession[] }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const [, go] = useLocation();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const withdraw = useMutation({
    mutationFn: planWithdrawal,
    onSuccess: (made) => go(`/admin/policies/plans/${made.plan}`),
    onError: (error) => void message.error(textOf(error)),
  });
  const first = items[0];
  if (!first) return null;
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-declaration={first.id}>
      <span className={styles.lineText}>
        {items.map((s) => (
          <div key={`${s.old} ${s.new}`}>
            <Tag>{t.units.kind[s.kind]}</Tag> <Code>{s.old}</Code> {nameIn(locale, s.old_names, s.old_name)} <span className={styles.arrow}>→</span> <Code>{s.new}</Code>
          </div>
        ))}
        <div className={styles.small}>
          {first.source} · {full(first.effective_at, locale)} · <Name id={first.actor} plain />
        </div>
      </span>
      <Tag tone={first.in_force ? "good" : "accent"}>{first.in_force ? t.units.inForce : t.units.ahead}</Tag>
      {mayEverywhere(me, "policies.plan") && (
        <Button danger loading={withdraw.isPending} onClick={() => withdraw.mutate(first.id)} data-withdraw-units title={t.units.withdrawHint}>
          {t.units.withdraw}
        </Button>
      )}
    </div>
  );
}
