import { Alert, Button, Checkbox, Modal, Table, type TableColumnsType } from "antd";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { groups } from "../../api/groups";
import { isHeld, tally, verdictReasons, type Plan, type PlanChange } from "../../api/policies";
import { nameIn, useTexts, word } from "../../i18n";
import { Card, Section } from "../../ui/page";
import { Tag, Who } from "../../ui/people";
import styles from "../admin.module.css";

const shownAtMost = 200;

/** PlanResult is what a plan would do: how many join and leave, who, and the button that does it. */
export function PlanResult({ plan, busy, problem, apply }: { plan: Plan; busy: boolean; problem: string; apply: (confirm: boolean) => void }) {
  const { t } = useTexts();
  const [asking, setAsking] = useState(false);
  const [looked, setLooked] = useState(false);
  const changes = plan.changes ?? [];
  const shapes = plan.shapes ?? [];
  const { added, removed, changed } = tally(plan);
  const held = isHeld(plan.verdict);
  return (
    <Section title={t.policies.result}>
      <Card>
        <div className={styles.tally}>
          <Count n={added} sign="+" tone={styles.plus} text={t.policies.added} />
          <Count n={removed} sign="−" tone={styles.minus} text={t.policies.removed} />
          <Count n={changed} sign="" text={t.policies.changed} />
        </div>
      </Card>
      {held ? (
        <Alert
          className={styles.gap}
          type="warning"
          showIcon
          title={t.policies.held}
          description={
            <>
              {t.policies.heldHint}
              {verdictReasons(plan.verdict).map((r) => (
                <div key={r}>{r}</div>
              ))}
            </>
          }
        />
      ) : (
        <p className={`${styles.gap} ${styles.muted}`}>{changes.length === 0 && shapes.length === 0 ? t.policies.nothing : t.policies.fine}</p>
      )}
      {shapes.length > 0 && (
        <ul className={styles.gap}>
          {shapes.map((s, i) => (
            <li key={i}>
              <Tag tone={s.op === "archive" ? "bad" : "accent"}>{word(t.policies.shape, s.op)}</Tag> {[s.group, s.channel && `# ${s.channel}`].filter(Boolean).join(" / ")} <span className={styles.small}>{(s.fields ?? []).join(", ")}</span>
            </li>
          ))}
        </ul>
      )}
      {changes.length > 0 && <Changes changes={changes} all={added + removed + changed} />}
      <div className={styles.buttons}>
        <Button type="primary" danger={removed > 0} disabled={plan.empty === true} onClick={() => setAsking(true)}>
          {t.policies.apply}
        </Button>
      </div>
      <Modal open={asking} title={t.policies.applyTitle} okText={t.policies.apply} cancelText={t.shell.cancel} okButtonProps={{ danger: removed > 0, disabled: held && !looked, loading: busy }} onOk={() => apply(held && looked)} onCancel={() => setAsking(false)}>
        <p>{t.policies.applyText(added, removed)}</p>
        {held && (
          <Checkbox className={styles.gap} checked={looked} onChange={(e) => setLooked(e.target.checked)}>
            {t.policies.applyConfirm(removed)}
          </Checkbox>
        )}
        {problem && (
          <p className={`${styles.gap} ${styles.alertTitle}`} role="alert">
            {problem}
          </p>
        )}
      </Modal>
    </Section>
  );
}

function Count({ n, sign, text, tone = "" }: { n: number; sign: string; text: string; tone?: string }) {
  return (
    <div>
      <div className={`${styles.tallyNumber} ${n ? tone : ""}`}>
        {n ? sign : ""}
        {n}
      </div>
      <div className={styles.small}>{text}</div>
    </div>
  );
}

function Changes({ changes, all }: { changes: PlanChange[]; all: number }) {
  const { t, locale } = useTexts();
  const known = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  const names = new Map((known.data?.items ?? []).map((g) => [g.key ?? g.id, nameIn(locale, g.name, g.key)]));
  const order = (c: PlanChange) => (c.op === "remove" ? 0 : c.op === "add" ? 2 : 1); // what is taken away comes first
  const shown = [...changes].sort((a, b) => order(a) - order(b)).slice(0, shownAtMost);
  const columns: TableColumnsType<PlanChange> = [
    { title: t.policies.effect, key: "op", render: (_, c) => <Tag tone={c.op === "remove" ? "bad" : c.op === "add" ? "good" : "accent"}>{word(t.policies.op, c.op)}</Tag> },
    { title: t.policies.person, key: "person", render: (_, c) => (typeof c.person === "string" ? <Who id={c.person} name={c.person_name} /> : c.person ? <Who id={c.person.id} name={c.person.display_name} /> : "–") },
    { title: t.policies.group, key: "group", render: (_, c) => (typeof c.group === "string" ? (names.get(c.group) ?? c.group) : nameIn(locale, c.group?.name, c.group?.key ?? c.group?.id)) },
    { title: t.policies.role, key: "role", render: (_, c) => [c.from_role, c.role].filter(Boolean).map((r) => word(t.words.role, r)).join(" → ") },
  ];
  return (
    <>
      <Table<PlanChange> className={styles.gap} size="small" rowKey={(c) => JSON.stringify(c)} columns={columns} dataSource={shown} pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }} />
      {all > shown.length && <p className={styles.small}>{t.policies.firstOf(shown.length, all)}</p>}
    </>
  );
}
