import { Button, Input, Modal, Table, type TableColumnsType } from "antd";
import { useState } from "react";
import type { Called } from "../api/inbox";
import type { Answer, Decision, Line, Review } from "../api/reviews";
import styles from "../admin/admin.module.css";
import { useTexts, word } from "../i18n";
import { date, full, known } from "../i18n/time";
import { Tag, useReasonText } from "../ui/people";
import { nameOf } from "./words";

/** ReviewLines are places under review: why each stands and since when, what silence means for it, and the answers to one or to many at once. */
export function ReviewLines({ review: r, lines, names, me, pending, answer, whole }: { review: Review; lines: Line[]; names: Called; me: string; pending: boolean; answer?: (list: Answer[]) => Promise<unknown>; whole?: boolean }) {
  const { t } = useTexts();
  const [chosen, setChosen] = useState<string[]>([]);
  const [keeping, setKeeping] = useState<Line[]>([]);
  const own = (l: Line) => l.person === me;
  const of = (ids: string[]) => lines.filter((l) => ids.includes(l.membership) && !own(l));
  const say = async (list: Line[], decision: Decision, why?: string) => {
    await answer?.(list.map((l) => ({ membership: l.membership, decision, ...(why && { why }) })));
    setChosen([]);
    setKeeping([]);
  };
  const columns: TableColumnsType<Line> = [
    { title: t.evidence.place, key: "place", render: (_, l) => <Place line={l} names={names} /> },
    { title: t.evidence.answered, key: "answered", render: (_, l) => <Answered review={r} line={l} names={names} whole={whole} /> },
  ];
  if (answer)
    columns.push({
      key: "say",
      align: "right",
      render: (_, l) =>
        own(l) ? (
          <span className={styles.small}>{t.evidence.own}</span>
        ) : (
          <span style={{ display: "inline-flex", gap: 8, flexWrap: "wrap", justifyContent: "flex-end" }} data-review={l.membership}>
            <Button disabled={pending} onClick={() => setKeeping([l])}>
              {t.evidence.keep}
            </Button>
            <Button danger disabled={pending} onClick={() => void say([l], "remove")}>
              {t.evidence.remove}
            </Button>
          </span>
        ),
    });
  return (
    <>
      {answer && (
        <div className={styles.filters} style={{ alignItems: "center" }} data-bulk>
          <span className={styles.small}>{t.evidence.chosen(chosen.length)}</span>
          <Button disabled={pending || of(chosen).length === 0} onClick={() => setKeeping(of(chosen))}>
            {t.evidence.keepChosen}
          </Button>
          <Button danger disabled={pending || of(chosen).length === 0} onClick={() => void say(of(chosen), "remove")}>
            {t.evidence.removeChosen}
          </Button>
        </div>
      )}
      <Table<Line>
        rowKey="membership"
        columns={columns}
        dataSource={lines}
        rowSelection={answer && { selectedRowKeys: chosen, onChange: (keys) => setChosen(keys.map(String)), getCheckboxProps: (l) => ({ disabled: own(l), "aria-label": l.name }) }}
        pagination={{ pageSize: 50, hideOnSinglePage: true, showSizeChanger: false }}
      />
      {keeping.length > 0 && <Keeping lines={keeping} pending={pending} keep={(why) => void say(keeping, "keep", why)} close={() => setKeeping([])} />}
    </>
  );
}

function Place({ line: l, names }: { line: Line; names: Called }) {
  const { t, locale } = useTexts();
  const textOf = useReasonText();
  return (
    <>
      <span className={styles.strong}>{l.name || l.person}</span>{" "}
      <span className={styles.small}>
        {nameOf(names, locale, l.group)} · {word(t.words.role, l.role)} · {t.words.since(date(l.since, locale))}
      </span>
      {l.grounds.length === 0 && l.reasons.map((text) => <div key={text} className={styles.small}>{text}</div>)}
      {l.grounds.map((g, i) => (
        <div key={i} className={styles.small} data-ground={g.kind}>
          {textOf(g)}
          {g.kind === "rule" && known(g.since) && ` · ${t.words.since(date(g.since, locale))}`}
        </div>
      ))}
    </>
  );
}

/** Answered is what was said about a place; before that, what silence means for it. */
function Answered({ review: r, line: l, names, whole }: { review: Review; line: Line; names: Called; whole?: boolean }) {
  const { t, locale } = useTexts();
  const ruled = l.on_silence === "finding" || l.grounds.some((g) => g.kind === "rule");
  return (
    <>
      {l.outcome ? (
        <Tag>{word(t.evidence.outcome, l.outcome)}</Tag>
      ) : l.decision ? (
        <span>{whole ? word(t.evidence.said, l.decision) : t.evidence.decided[l.decision]}</span>
      ) : (
        <span className={styles.small}>{t.evidence.onSilence[l.on_silence](full(r.ends_at, locale))}</span>
      )}
      {l.why && <div className={styles.small}>{l.why}</div>}
      {whole && l.decided_by && <div className={styles.small}>{t.evidence.by(l.decided_by === "silence" ? t.evidence.nobody : nameOf(names, locale, l.decided_by))}</div>}
      {whole && !l.decision && <div className={styles.small}>{t.evidence.asked(l.reviewer_name || t.evidence.admins)}</div>}
      {ruled && l.decision === "remove" && !l.outcome && <div className={styles.small}>{t.evidence.ruled}</div>}
    </>
  );
}

function Keeping({ lines, pending, keep, close }: { lines: Line[]; pending: boolean; keep: (why: string) => void; close: () => void }) {
  const { t } = useTexts();
  const [why, setWhy] = useState("");
  return (
    <Modal open title={lines.length === 1 ? lines[0]?.name : t.evidence.keepMany(lines.length)} okText={t.evidence.keep} cancelText={t.shell.cancel} okButtonProps={{ disabled: !why.trim(), loading: pending }} onOk={() => keep(why.trim())} onCancel={close}>
      <Input.TextArea aria-label={t.evidence.why} placeholder={t.evidence.why} value={why} maxLength={500} onChange={(e) => setWhy(e.target.value)} rows={3} />
    </Modal>
  );
}
