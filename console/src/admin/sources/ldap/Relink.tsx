import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Table, type TableColumnsType } from "antd";
import { useState } from "react";
import { canLink, otherIds, previewRelink, relink, type Pair, type Relinking, type Unsure } from "../../../api/relink";
import type { SourceDetail } from "../../../api/sources";
import { useTexts, word } from "../../../i18n";
import { Card, Code, Section } from "../../../ui/page";
import { Who } from "../../../ui/people";
import { useProblemText } from "../../../ui/states";
import { Name } from "../../Name";
import styles from "../../admin.module.css";

/** Relink links people anew who have other ids in the directory now. Where nothing says so it is only a door. */
export function Relink({ source }: { source: SourceDetail }) {
  const { t } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const look = useMutation({ mutationFn: () => previewRelink(source.id) });
  const link = useMutation({
    mutationFn: (hash: string) => relink(source.id, hash),
    onSuccess: (r) => {
      void message.success(t.relink.done(r.linked), 6);
      look.reset();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", source.id] }),
  });
  const asked = otherIds(source.health);
  if (!asked && !open) {
    return (
      <p id="relink" className={`${styles.small} ${styles.gap}`}>
        {t.relink.door} <Button type="link" size="small" data-relink-open onClick={() => setOpen(true)}>{t.relink.title}</Button>
      </p>
    );
  }
  const ask = (r: Relinking) =>
    modal.confirm({
      title: t.relink.confirmTitle(r.linked),
      content: t.relink.confirmText(r.ambiguous, r.missing),
      okText: t.relink.apply,
      cancelText: t.shell.cancel,
      onOk: () => link.mutateAsync(r.hash).catch(() => undefined),
    });
  const found = look.data;
  return (
    <Section title={t.relink.title} hint={asked ? t.relink.why : t.relink.hint}>
      <div id="relink" className={styles.buttons} style={{ marginTop: 0 }}>
        <Button type={found ? "default" : "primary"} data-relink-preview loading={look.isPending} onClick={() => look.mutate()}>
          {found ? t.relink.again : t.relink.preview}
        </Button>
        {found && canLink(found) && (
          <Button type="primary" data-relink loading={link.isPending} onClick={() => ask(found)}>
            {t.relink.apply}
          </Button>
        )}
      </div>
      {(look.error ?? link.error) && (
        <p className={styles.alertTitle} role="alert">
          {textOf(look.error ?? link.error)}
        </p>
      )}
      <div role="status" aria-live="polite">{found && <Found found={found} />}</div>
    </Section>
  );
}

function Found({ found: r }: { found: Relinking }) {
  const { t } = useTexts();
  const counts: [number, string, string | undefined][] = [
    [r.linked, t.relink.linked, styles.plus],
    [r.same, t.relink.same, undefined],
    [r.ambiguous, t.relink.unsure, r.ambiguous ? styles.minus : undefined],
    [r.new, t.relink.fresh, undefined],
    [r.missing, t.relink.missing, r.missing ? styles.minus : undefined],
  ];
  const by = Object.entries(r.by).map(([how, n]) => `${word(t.relink.by, how)} ${n}`);
  return (
    <div className={styles.gap} data-relinking>
      <Card>
        <div className={styles.tally}>
          {counts.map(([n, text, tone]) => (
            <div key={text}>
              <div className={`${styles.tallyNumber} ${tone ?? ""}`}>{n}</div>
              <div className={styles.small}>{text}</div>
            </div>
          ))}
        </div>
      </Card>
      {!r.complete && (
        <p className={styles.alertTitle} role="alert">
          {t.relink.incomplete} {r.why.join("; ")}
        </p>
      )}
      <p className={`${styles.gap} ${styles.muted}`}>{canLink(r) ? t.relink.stays(r.units, r.groups) : t.relink.nothing}</p>
      {by.length > 0 && <p className={styles.small}>{t.relink.known} {by.join(" · ")}</p>}
      {r.unsure.length > 0 && <Doubts unsure={r.unsure} more={r.ambiguous - r.unsure.length} />}
      {r.pairs.length > 0 && <Pairs pairs={r.pairs} more={r.linked - r.pairs.length} />}
    </div>
  );
}

function Pairs({ pairs, more }: { pairs: Pair[]; more: number }) {
  const { t } = useTexts();
  const columns: TableColumnsType<Pair> = [
    { title: t.relink.person, key: "person", render: (_, p) => <Who id={p.person} name={p.name} note={p.dn} link /> },
    { title: t.relink.as, key: "by", render: (_, p) => word(t.relink.by, p.by) },
    { title: t.relink.was, key: "was", render: (_, p) => <Code>{p.was}</Code> },
    { title: t.relink.now, key: "now", render: (_, p) => <Code>{p.now}</Code> },
  ];
  return (
    <>
      <Table<Pair> className={styles.gap} size="small" rowKey="person" columns={columns} dataSource={pairs} pagination={pairs.length > 10 ? { pageSize: 10, showSizeChanger: false, size: "small" } : false} scroll={{ x: "max-content" }} />
      {more > 0 && <p className={styles.small}>{t.relink.more(more)}</p>}
    </>
  );
}

/** Doubts are the entries that may be somebody: they are left to a human being. */
function Doubts({ unsure, more }: { unsure: Unsure[]; more: number }) {
  const { t } = useTexts();
  return (
    <Section title={t.relink.doubts} hint={t.relink.doubtsHint}>
      <Card rows>
        {unsure.map((u) => (
          <div key={u.dn} data-unsure={u.why}>
            <span className={styles.strong}>{u.name}</span> <span className={styles.small}>{u.dn}</span>
            <div>{t.relink.doubt[u.why]}</div>
            <div className={styles.small}>
              {t.relink.mayBe}{" "}
              {u.people.map((p, i) => (
                <span key={p}>
                  {i > 0 && " · "}
                  <Name id={p} />
                </span>
              ))}
            </div>
          </div>
        ))}
      </Card>
      {more > 0 && <p className={styles.small}>{t.relink.more(more)}</p>}
    </Section>
  );
}
