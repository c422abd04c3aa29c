import { InboxOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Segmented, Upload } from "antd";
import { useState } from "react";
import { Problem } from "../../../api/client";
import { effect, feed, handIn, kindOfName, saveColumns, type ColumnMapping, type Feed as How, type HowRead } from "../../../api/feed";
import type { SourceDetail } from "../../../api/sources";
import { useTexts, word } from "../../../i18n";
import { Code, Card, Section } from "../../../ui/page";
import { Loaded, useProblemText } from "../../../ui/states";
import { Columns } from "./Columns";
import { Files } from "./Files";
import { Report } from "./Report";
import styles from "../../admin.module.css";
import own from "./feed.module.css";

/** Feed is an HR source's own part of its page: handing a file in, how its columns are read, the last files. */
export function Feed({ source }: { source: SourceDetail }) {
  const query = useQuery({ queryKey: ["source", source.id, "feed"], queryFn: ({ signal }) => feed(source.id, signal), refetchInterval: 15_000 });
  return (
    <Loaded query={query}>
      {(found) => (
        <>
          <HandIn source={source} saved={found.saved} />
          <Files files={found.files} />
          <Columns key={found.saved_at ?? ""} source={source.id} feed={found} />
          <Ways source={source} feed={found} />
        </>
      )}
    </Loaded>
  );
}

/** HandIn takes a file: first what it would do, then doing it. */
function HandIn({ source, saved }: { source: SourceDetail; saved: ColumnMapping }) {
  const { t } = useTexts();
  const { modal } = AntApp.useApp();
  const queries = useQueryClient();
  const [file, setFile] = useState<File>();
  const [kind, setKind] = useState<HowRead>("");
  const look = useMutation({ mutationFn: (of: { file: File; kind: HowRead; again: boolean }) => handIn(source.id, of.file, { kind: of.kind, preview: true, again: of.again }) });
  const take = useMutation({
    mutationFn: (of: { file: File; again: boolean }) => handIn(source.id, of.file, { kind, preview: false, again: of.again }),
    onSettled: () => queries.invalidateQueries(),
  });
  const save = useMutation({
    mutationFn: (mapping: ColumnMapping) => saveColumns(source.id, mapping),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["source", source.id, "feed"] });
      if (file) look.mutate({ file, kind, again: true });
    },
  });
  const choose = (chosen: File) => {
    const said = kindOfName(chosen.name) || kind;
    setFile(chosen);
    setKind(said);
    take.reset();
    save.reset();
    look.mutate({ file: chosen, kind: said, again: false });
  };
  const change = (as: HowRead) => {
    setKind(as);
    take.reset();
    if (file) look.mutate({ file, kind: as, again: false });
  };
  const clear = () => {
    setFile(undefined);
    setKind("");
    look.reset();
    take.reset();
  };
  const report = take.data ?? look.data;
  const error = take.error ?? save.error ?? look.error;
  const apply = () =>
    file &&
    look.data &&
    modal.confirm({
      title: t.feed.applyTitle(file.name),
      content: t.feed.applyText(effect(look.data.counts), look.data.losses?.length ?? 0),
      okText: t.feed.apply,
      cancelText: t.shell.cancel,
      onOk: () => take.mutateAsync({ file, again: true }).catch(() => undefined),
    });
  const busy = look.isPending || take.isPending || save.isPending;
  return (
    <Section title={t.feed.title} hint={t.feed.hint}>
      <div className={own.bar}>
        <span className={styles.muted}>{t.feed.kind}</span>
        <Segmented<HowRead>
          value={kind}
          disabled={busy}
          onChange={change}
          options={[
            { value: "", label: t.feed.kinds.auto },
            { value: "full", label: t.feed.kinds.full },
            { value: "delta", label: t.feed.kinds.delta },
          ]}
        />
        <span className={styles.small}>{t.feed.kindHint[kind || "auto"]}</span>
      </div>
      {!file && (
        <Upload.Dragger accept=".csv,.tsv,.txt,.xlsx,.json,.jsonl,.ndjson" showUploadList={false} beforeUpload={(chosen) => (choose(chosen), false)}>
          <p className={own.icon}>
            <InboxOutlined />
          </p>
          <p className={styles.strong}>{t.feed.drop}</p>
          <p className={styles.small}>{t.feed.dropMore}</p>
        </Upload.Dragger>
      )}
      {file && (
        <div className={own.bar}>
          <Code>{file.name}</Code>
          <Button disabled={busy} onClick={clear}>
            {t.feed.another}
          </Button>
          {look.data && !take.data && (
            <Button type="primary" data-apply disabled={busy || (effect(look.data.counts) === 0 && !look.data.taken_before)} loading={take.isPending} onClick={apply}>
              {t.feed.apply}
            </Button>
          )}
        </div>
      )}
      <div role="status" aria-live="polite">
        {busy && <p className={styles.muted}>{take.isPending ? t.feed.applying : t.feed.reading}</p>}
        {!busy && error && <Refusal error={error} />}
        {!busy && !error && report && (
          <Report report={report} again={() => file && look.mutate({ file, kind, again: true })} saved={saved} save={(mapping) => save.mutate(mapping)} />
        )}
      </div>
    </Section>
  );
}

/** Refusal says why a whole file was refused. */
function Refusal({ error }: { error: unknown }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const texts: Record<string, string> = t.feed.problem;
  const say = error instanceof Problem ? texts[error.code] : undefined;
  return (
    <div className={`${styles.alert} ${styles.gap}`} role="alert">
      <div className={styles.alertTitle}>{t.feed.refusedAll}</div>
      {say && <div>{say}</div>}
      <div className={styles.small}>{textOf(error)}</div>
    </div>
  );
}

function Ways({ source, feed: f }: { source: SourceDetail; feed: How }) {
  const { t } = useTexts();
  return (
    <Section title={t.feed.ways}>
      <Card rows>
        <div>{f.folder ? t.feed.folder : t.feed.noFolder}</div>
        <div>
          {t.feed.post} <Code>{`${location.origin}/api/v1/sources/${source.id}/feed`}</Code>
        </div>
        {f.hook && <div>{t.feed.hook(f.hook)}</div>}
      </Card>
    </Section>
  );
}

/** useFieldName answers what a field of a file is called. */
export function useFieldName(): (field: string) => string {
  const { t } = useTexts();
  return (field) => (field.startsWith("label.") ? t.feed.asLabel(field.slice(6)) : word(t.feed.field, field));
}
