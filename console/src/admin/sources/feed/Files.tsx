import { Table, type TableColumnsType } from "antd";
import { effect, type Taken } from "../../../api/feed";
import { useTexts, word } from "../../../i18n";
import { Card, Section } from "../../../ui/page";
import { Tag, When } from "../../../ui/people";
import { Empty } from "../../../ui/states";
import { Took } from "../Health";
import { Findings } from "./Report";
import styles from "../../admin.module.css";
import own from "./feed.module.css";

/** Files are the last files of a source with what became of them. */
export function Files({ files }: { files: Taken[] }) {
  const { t } = useTexts();
  const counted = (f: Taken) =>
    (["new", "changed", "ended", "deleted", "absent", "units", "refused"] as const)
      .filter((name) => f.counts[name] > 0)
      .map((name) => `${f.counts[name]} ${t.feed.count[name]}`)
      .join(" · ");
  const columns: TableColumnsType<Taken> = [
    { title: t.health.when, key: "when", width: 130, render: (_, f) => <When at={f.at} /> },
    {
      title: t.health.what,
      key: "what",
      render: (_, f) => (
        <span className={own.remark}>
          <span>
            {f.file || f.run} {!f.applied && <Tag tone="bad">{t.feed.count.refused}</Tag>}
          </span>
          <span className={styles.small}>
            {word(t.feed.kinds, f.kind)} · {word(t.feed.origin, f.origin)}
          </span>
        </span>
      ),
    },
    {
      title: t.health.counts,
      key: "counts",
      render: (_, f) => (
        <>
          {f.applied ? counted(f) || t.feed.nothing : <span className={styles.small}>{f.error && word(t.feed.problem, f.error)}</span>}
          {f.applied && effect(f.counts) === 0 && f.counts.refused > 0 && <div className={styles.small}>{t.feed.nothing}</div>}
        </>
      ),
    },
    { title: t.health.took, key: "took", width: 90, align: "right", render: (_, f) => <Took ms={f.seconds * 1000} /> },
  ];
  return (
    <Section title={t.feed.files} hint={t.feed.filesHint}>
      {files.length === 0 ? (
        <Card>
          <Empty title={t.feed.noFiles} hint={t.feed.noFilesHint} />
        </Card>
      ) : (
        <Table<Taken>
          size="small"
          rowKey="run"
          columns={columns}
          dataSource={files}
          scroll={{ x: 640 }}
          pagination={files.length > 10 ? { pageSize: 10, showSizeChanger: false, size: "small" } : false}
          expandable={{ rowExpandable: (f) => f.findings.length > 0, expandedRowRender: (f) => <Findings title={t.feed.refused} hint="" items={f.findings} /> }}
        />
      )}
    </Section>
  );
}
