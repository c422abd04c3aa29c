import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Table, type TableColumnsType } from "antd";
import { drills, holdDrill, type Drill, type NodeFinding } from "../../api/drills";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import { Name } from "../Name";
import styles from "../admin.module.css";

/** DrillsPage holds drills and shows what they showed: the newest whole, those before by a line each. */
export default function DrillsPage() {
  const { t } = useTexts();
  const me = useMe();
  const queries = useQueryClient();
  const textOf = useProblemText();
  const query = useQuery({ queryKey: ["drills"], queryFn: ({ signal }) => drills(signal) });
  const hold = useMutation({ mutationFn: holdDrill, onSettled: () => queries.invalidateQueries({ queryKey: ["drills"] }) });
  return (
    <Page
      title={t.drills.title}
      lead={t.drills.lead}
      actions={
        mayEverywhere(me, "drills.hold") && (
          <Button type="primary" data-hold-drill loading={hold.isPending} onClick={() => hold.mutate()}>
            {hold.isPending ? t.drills.holding : t.drills.hold}
          </Button>
        )
      }
    >
      {hold.error && <Alert className={styles.gap} type="error" showIcon title={textOf(hold.error)} />}
      <Loaded query={query}>
        {(page) => {
          const [newest, ...earlier] = page.items;
          if (!newest) return <Empty title={t.drills.none} hint={t.drills.noneHint} />;
          return (
            <>
              <Whole drill={newest} />
              {earlier.length > 0 && (
                <Section title={t.drills.earlier}>
                  <Card rows>
                    {earlier.map((d) => (
                      <Line key={d.id} drill={d} />
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

const tones = { passed: "good", failed: "bad", incomplete: "warn" } as const;
const alerts = { passed: "success", failed: "error", incomplete: "warning" } as const;

function Whole({ drill: d }: { drill: Drill }) {
  const { t, locale } = useTexts();
  const columns: TableColumnsType<NodeFinding> = [
    { title: t.drills.node, dataIndex: "node", render: (node: string, n) => <span title={n.url}>{node}</span> },
    { title: t.drills.heard, render: (_, n) => (n.fault ? <Tag tone="warn">{t.drills.unwatched}</Tag> : n.heard - n.late) },
    { title: t.drills.cut, render: (_, n) => (n.fault ? n.fault : t.drills.ms(n.cut_ms)) },
    { title: t.drills.late, render: (_, n) => !n.fault && <Tag tone={n.late > 0 ? "bad" : "good"}>{n.late}</Tag> },
    { title: t.drills.doors, render: (_, n) => !n.fault && <Tag tone={n.open.length > 0 ? "bad" : "good"}>{n.open.length > 0 ? t.drills.open(n.open.join(", ")) : t.drills.shut}</Tag> },
    { title: t.drills.witness, render: (_, n) => !n.fault && t.drills.of(n.witness, d.after) },
  ];
  return (
    <div data-drill={d.verdict ?? "running"}>
      <p className={styles.small}>
        {full(d.started_at, locale)} · <Name id={d.actor} plain />
      </p>
      {d.verdict && <Alert className={styles.gap} type={alerts[d.verdict]} showIcon title={t.drills[d.verdict]} description={d.fault ?? `${t.drills.took(d.took_ms.toFixed(1))} · ${t.drills.flow(d.before, d.after)}`} />}
      {!d.verdict && <Alert className={styles.gap} type="info" showIcon title={t.drills.running} />}
      {d.nodes.length > 0 && <Table<NodeFinding> className={styles.gap} rowKey="node" size="small" columns={columns} dataSource={d.nodes} pagination={false} scroll={{ x: "max-content" }} />}
    </div>
  );
}

function Line({ drill: d }: { drill: Drill }) {
  const { t, locale } = useTexts();
  return (
    <div className={styles.line}>
      <span className={styles.lineText}>
        {d.fault ?? t.drills.took(d.took_ms.toFixed(1))}
        <div className={styles.small}>
          {full(d.started_at, locale)} · <Name id={d.actor} plain />
        </div>
      </span>
      <Tag tone={d.verdict ? tones[d.verdict] : "quiet"}>{d.verdict ? t.drills.verdict[d.verdict] : t.drills.running}</Tag>
    </div>
  );
}
