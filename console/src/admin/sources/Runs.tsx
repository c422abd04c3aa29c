import { useQuery } from "@tanstack/react-query";
import { Table, type TableColumnsType } from "antd";
import { runs, secondsOf, type Run } from "../../api/health";
import { useTexts, word } from "../../i18n";
import { Card, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { Took, useCounts } from "./Health";
import { FindingLine } from "./ldap/Directory";
import styles from "../admin.module.css";
import own from "./health.module.css";

/** Runs are the last synchronisations of a source. */
export function Runs({ source }: { source: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["source", source, "runs"], queryFn: ({ signal }) => runs(source, signal), refetchInterval: 10_000 });
  return (
    <Section title={t.health.runs} hint={t.health.runsHint}>
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 ? (
            <Card>
              <Empty title={t.health.noRuns} hint={t.health.noRunsHint} />
            </Card>
          ) : (
            <List items={page.items} />
          )
        }
      </Loaded>
    </Section>
  );
}

function List({ items }: { items: Run[] }) {
  const { t } = useTexts();
  const counts = useCounts();
  const columns: TableColumnsType<Run> = [
    { title: t.health.when, key: "when", width: 130, render: (_, r) => <When at={r.started_at} /> },
    {
      title: t.health.what,
      key: "what",
      width: 170,
      render: (_, r) => (
        <>
          {word(t.health.kind, r.kind)} {!r.ok && <Tag tone="bad">{t.health.runBad}</Tag>}
        </>
      ),
    },
    {
      title: t.health.counts,
      key: "counts",
      render: (_, r) => (
        <>
          <span className={own.counts}>{counts(r.counts) || t.health.nothingWritten}</span>
          {r.error && <div className={styles.small}>{r.error}</div>}
        </>
      ),
    },
    { title: t.health.found, key: "found", width: 90, align: "right", render: (_, r) => r.findings.length || "–" },
    {
      title: t.health.took,
      key: "took",
      width: 90,
      align: "right",
      render: (_, r) => {
        const took = secondsOf(r);
        return took === undefined ? "–" : <Took ms={took * 1000} />;
      },
    },
  ];
  return (
    <Table<Run>
      size="small"
      rowKey="id"
      columns={columns}
      dataSource={items}
      pagination={items.length > 10 ? { pageSize: 10, showSizeChanger: false, size: "small" } : false}
      scroll={{ x: "max-content" }}
      expandable={{ rowExpandable: (r) => r.findings.length > 0 || !!r.proof, expandedRowRender: (r) => <Detail run={r} /> }}
    />
  );
}

function Detail({ run: r }: { run: Run }) {
  const { t } = useTexts();
  return (
    <>
      {r.findings.map((f) => (
        <FindingLine key={f.code + f.text} finding={f} />
      ))}
      {r.findings.length === 0 && <div className={styles.small}>{t.health.nothingFound}</div>}
      {r.proof && (
        <div className={styles.small}>
          {t.health.proof}: {r.proof}
        </div>
      )}
    </>
  );
}
