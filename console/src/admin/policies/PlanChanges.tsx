import { useInfiniteQuery } from "@tanstack/react-query";
import { Segmented, Select, Table, type TableColumnsType } from "antd";
import { useState } from "react";
import { plan as readPlan, tally, type Plan, type PlanChange, type Tally } from "../../api/policies";
import { useTexts, word } from "../../i18n";
import { full, known } from "../../i18n/time";
import { Section } from "../../ui/page";
import { Tag, Who } from "../../ui/people";
import { Loaded, More } from "../../ui/states";
import { useChannelNames, useGroupNames } from "../groups/names";
import { givenBy } from "./words";
import styles from "../admin.module.css";

const counts = (c: Tally) => [c.added && `+${c.added}`, c.removed && `−${c.removed}`, c.changed && `~${c.changed}`].filter(Boolean).join(" ");

/** PlanChanges is what a plan does to whom, a page at a time, chosen by effect, group and cause. What is taken away comes first. */
export function PlanChanges({ plan }: { plan: Plan }) {
  const { t } = useTexts();
  const called = useGroupNames();
  const channel = useChannelNames();
  const [op, setOp] = useState(tally(plan).removed > 0 ? "remove" : "");
  const [group, setGroup] = useState<string>();
  const [ground, setGround] = useState<string>();
  const query = useInfiniteQuery({
    queryKey: ["plan", plan.id, "changes", { op, group, ground }],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => readPlan(plan.id, { op, group, ground, cursor: pageParam, limit: 50 }, signal),
    getNextPageParam: (page) => page.next,
  });
  const keyOf = (c: PlanChange) => (typeof c.group === "string" ? c.group : (c.group?.key ?? ""));
  const columns: TableColumnsType<PlanChange> = [
    { title: t.policies.effect, key: "op", render: (_, c) => <Effect change={c} /> },
    { title: t.policies.person, key: "person", render: (_, c) => (typeof c.person === "string" ? <Who id={c.person} name={c.person_name} link /> : c.person ? <Who id={c.person.id} name={c.person.display_name} link /> : "–") },
    { title: t.policies.group, key: "group", render: (_, c) => called(keyOf(c)) },
    { title: t.policies.role, key: "role", render: (_, c) => [c.from_role, c.role].filter(Boolean).map((r) => word(t.words.role, r)).join(" → ") },
    { title: t.policies.cause, key: "ground", render: (_, c) => [word(t.policies.ground, c.ground), (c.reasons ?? []).map((r) => givenBy(t, { group: called, channel }, keyOf(c), r)).join(", ")].filter(Boolean).map((line) => <div key={line}>{line}</div>), responsive: ["md"] },
    { title: `${t.policies.gains} / ${t.policies.loses}`, key: "sight", render: (_, c) => <Sight change={c} />, responsive: ["md"] },
  ];
  const options = (list: Tally[] | undefined, name: (key: string) => string) => (list ?? []).map((x) => ({ value: x.name, label: `${name(x.name)}  ${counts(x)}` }));
  return (
    <Section title={t.policies.effect}>
      <div className={styles.filters}>
        <Segmented value={op} onChange={setOp} options={["", "remove", "add", "role", "channels", "reasons"].map((value) => ({ value, label: value ? word(t.policies.op, value) : t.policies.anyOp }))} />
        <Select className={styles.wide} allowClear value={group} placeholder={t.policies.anyGroup} aria-label={t.policies.byGroup} onChange={setGroup} options={options(plan.groups, called)} />
        <Select className={styles.wide} allowClear value={ground} placeholder={t.policies.anyGround} aria-label={t.policies.byGround} onChange={setGround} options={options(plan.grounds, (key) => word(t.policies.ground, key))} />
      </div>
      <Loaded query={query}>
        {(data) => (
          <>
            <Table<PlanChange> size="small" rowKey={(c) => JSON.stringify(c)} columns={columns} dataSource={data.pages.flatMap((p) => p.changes ?? [])} pagination={false} locale={{ emptyText: t.words.none }} />
            <More query={query} />
          </>
        )}
      </Loaded>
    </Section>
  );
}

function Effect({ change: c }: { change: PlanChange }) {
  const { t, locale } = useTexts();
  return (
    <>
      <Tag tone={c.op === "remove" ? "bad" : c.op === "add" ? "good" : "accent"}>{word(t.policies.op, c.op)}</Tag>
      {known(c.at) && <div className={styles.small}>{full(c.at, locale)}</div>}
    </>
  );
}

function Sight({ change: c }: { change: PlanChange }) {
  const { t } = useTexts();
  const channel = useChannelNames();
  const named = (keys: string[] | undefined) => (keys ?? []).map((key) => channel(typeof c.group === "string" ? c.group : (c.group?.key ?? ""), key)).join(", ");
  return (
    <>
      {(c.gains ?? []).length > 0 && <div className={styles.plus}>+ {named(c.gains)}</div>}
      {(c.raised ?? []).length > 0 && <div className={styles.plus}>{t.policies.raisedIn(named(c.raised))}</div>}
      {(c.loses ?? []).length > 0 && <div className={styles.minus}>− {named(c.loses)}</div>}
      {(c.lowered ?? []).length > 0 && <div className={styles.minus}>{t.policies.loweredIn(named(c.lowered))}</div>}
      {c.later && <div className={styles.minus}>{t.policies.later}</div>}
    </>
  );
}
