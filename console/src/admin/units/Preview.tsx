import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Alert, App as AntApp, Button, Input } from "antd";
import { useState } from "react";
import { declareSuccessions, type SuccessionFile, type SuccessionPlan } from "../../api/units";
import { nameIn, useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Code, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import { useProblemText } from "../../ui/states";
import { useGroupNames } from "../groups/names";
import { Name } from "../Name";
import styles from "../admin.module.css";

/** Preview is what a declaration would do, and where one declares it. */
export function Preview({ plan: p, file, declared }: { plan: SuccessionPlan; file: SuccessionFile; declared: () => void }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const queries = useQueryClient();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const [reason, setReason] = useState("");
  const declare = useMutation({
    mutationFn: declareSuccessions,
    onSuccess: async () => {
      void message.success(t.units.declared);
      declared();
      await queries.invalidateQueries();
    },
  });
  return (
    <>
      <Card rows>
        {p.items.map((i) => (
          <div key={`${i.old} ${i.new}`} className={styles.line} style={{ flexWrap: "wrap" }}>
            <span className={styles.lineText}>
              <Tag>{t.units.kind[i.kind]}</Tag> <Code>{i.old}</Code> {nameIn(locale, i.old_names, i.old_name)} <span className={styles.arrow}>→</span> <Code>{i.new}</Code>
              <div className={styles.small}>{t.units.people(i.people, i.already)}</div>
            </span>
            {!i.new_known && <Tag tone="accent">{t.units.coming}</Tag>}
          </div>
        ))}
      </Card>
      <p className={`${styles.gap} ${styles.muted}`}>
        {t.units.since(p.source, full(p.effective_at, locale))} {p.scopes > 0 && t.units.scopes(p.scopes)}
      </p>
      {p.rules.length > 0 && (
        <Section title={t.units.rules} hint={t.units.rulesHint}>
          <Card rows>
            {p.rules.map((r) => (
              <div key={`${r.group}/${r.rule}`} className={styles.line} style={{ flexWrap: "wrap" }}>
                <span className={styles.lineText}>
                  {r.group} / {r.rule}
                  <code className={styles.stepCode}>{r.when}</code>
                </span>
                <Tag tone={r.edit ? "warn" : "good"}>{r.edit ? t.units.edit : t.units.follows}</Tag>
              </div>
            ))}
          </Card>
        </Section>
      )}
      <Places plan={p} />
      {declare.error && <Alert className={styles.gap} type="error" showIcon title={textOf(declare.error)} />}
      {mayEverywhere(me, "policies.apply") && (
        <div className={styles.buttons}>
          <Input className={styles.search} maxLength={2000} value={reason} onChange={(e) => setReason(e.target.value)} placeholder={t.units.reason} aria-label={t.units.reason} />
          <Button type="primary" data-declare-units loading={declare.isPending} onClick={() => declare.mutate({ file, hash: p.hash, reason: reason.trim() })}>
            {t.units.confirm}
          </Button>
        </div>
      )}
    </>
  );
}

/** Places is what would change for those who are in a new unit already. */
function Places({ plan: p }: { plan: SuccessionPlan }) {
  const { t } = useTexts();
  const called = useGroupNames();
  const counts = Object.entries(p.counts).map(([key, n]) => {
    const [group = "", op = ""] = key.split(" ");
    return `${called(group)}: ${word(t.policies.op, op)} ${n}`;
  });
  if (p.memberships.length === 0) return <p className={`${styles.gap} ${styles.muted}`}>{t.units.nobody}</p>;
  return (
    <Section title={t.units.places(p.people)} hint={counts.join(" · ")}>
      <Card rows>
        {p.memberships.slice(0, 50).map((m) => (
          <div key={`${m.person} ${m.group} ${m.op}`} className={styles.line}>
            <Tag tone={m.op === "remove" ? "bad" : m.op === "add" ? "good" : "accent"}>{word(t.policies.op, m.op)}</Tag>
            <span className={styles.lineText}>
              <Name id={m.person} />
            </span>
            <span className={styles.small}>
              {called(m.group)} · {[m.from_role, m.role].filter(Boolean).map((r) => word(t.words.role, r)).join(" → ")}
            </span>
          </div>
        ))}
      </Card>
    </Section>
  );
}
