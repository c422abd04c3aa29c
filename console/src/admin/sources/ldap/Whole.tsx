import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { useEffect, useRef } from "react";
import { applyMapping, mappingOf, previewMapping, type Draft, type FieldDiff, type MappingDiff, type Progress, type Proposal } from "../../../api/ldap";
import { useTexts, word } from "../../../i18n";
import { Card, Section } from "../../../ui/page";
import { useProblemText } from "../../../ui/states";
import { useGroupNames } from "../../groups/names";
import { Bar, FindingLine } from "./Directory";
import styles from "../../admin.module.css";
import css from "./mapping.module.css";

/** Whole counts what a changed mapping would do to everybody. */
export function Whole({ id, draft, changed, bad, progress, own }: { id: string; draft: Draft; changed: boolean; bad: boolean; progress?: Progress; own: boolean }) {
  const { t } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const look = useMutation({
    mutationFn: (of: Proposal) => previewMapping(id, of),
    onMutate: () => window.setTimeout(() => void queries.invalidateQueries({ queryKey: ["source", id, "ldap"] }), 300),
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", id, "ldap"] }),
  });
  const apply = useMutation({
    mutationFn: (of: Proposal & { hash: string }) => applyMapping(id, of),
    onSuccess: () => {
      void message.success(t.ldap.applied, 6);
      look.reset();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", id] }),
  });
  const ask = (of: Proposal, diff: MappingDiff) =>
    modal.confirm({
      title: t.ldap.applyTitle,
      content: t.ldap.applyText(diff.changed, diff.groups.reduce((n, g) => n + g.removed, 0)),
      okText: t.ldap.apply,
      cancelText: t.shell.cancel,
      onOk: () => apply.mutateAsync({ ...of, hash: diff.hash }).catch(() => undefined),
    });
  const asked = JSON.stringify(mappingOf(draft));
  const last = useRef(asked);
  const reset = look.reset;
  useEffect(() => {
    if (last.current !== asked) {
      last.current = asked;
      reset(); // what was shown is of another draft
    }
  }, [asked, reset]);
  return (
    <Section title={t.ldap.whole} hint={t.ldap.wholeHint}>
      <div className={styles.buttons} style={{ marginTop: 0 }}>
        <Button type={look.data ? "default" : "primary"} data-preview-mapping disabled={!changed || bad} loading={look.isPending} onClick={() => look.mutate(mappingOf(draft))}>
          {look.data ? t.ldap.previewAgain : t.ldap.preview}
        </Button>
        {own && (
          <Button disabled={look.isPending} onClick={() => look.mutate({ file: true })}>
            {t.ldap.toFile}
          </Button>
        )}
        {look.data && look.variables && (
          <Button type="primary" data-apply-mapping loading={apply.isPending} onClick={() => look.data && look.variables && ask(look.variables, look.data)}>
            {t.ldap.apply}
          </Button>
        )}
      </div>
      {look.isPending && progress && <Bar progress={progress} />}
      {(look.error ?? apply.error) && (
        <p className={styles.alertTitle} role="alert">
          {textOf(look.error ?? apply.error)}
        </p>
      )}
      <div role="status" aria-live="polite">
        {look.data && look.variables && "file" in look.variables && <p className={`${styles.muted} ${styles.gap}`}>{t.ldap.toFileTitle}</p>}
        {look.data && <Diff diff={look.data} />}
      </div>
    </Section>
  );
}

function Diff({ diff: d }: { diff: MappingDiff }) {
  const { t } = useTexts();
  return (
    <div className={styles.gap} data-diff>
      <p className={styles.strong}>{d.changed === 0 ? t.ldap.unchanged : t.ldap.changedOf(d.changed, d.people)}</p>
      {!d.complete && <p className={styles.alertTitle}>{t.ldap.incompleteReading}</p>}
      {(d.findings.length > 0 || d.fields.length > 0) && (
        <Card rows>
          {d.findings.map((f) => (
            <FindingLine key={f.code + f.text} finding={f} />
          ))}
          {d.fields.map((f) => (
            <div key={f.field}>
              <FieldLine diff={f} />
            </div>
          ))}
        </Card>
      )}
      {d.changed > 0 && <Groups diff={d} />}
    </div>
  );
}

function FieldLine({ diff: f }: { diff: FieldDiff }) {
  const { t } = useTexts();
  const other = f.changed - f.gained - f.lost;
  const counts: [number, (n: number) => string, string | undefined][] = [
    [f.gained, t.ldap.gained, styles.plus],
    [other, t.ldap.other, undefined],
    [f.lost, t.ldap.lost, styles.minus],
  ];
  return (
    <div className={css.diff}>
      <span className={styles.strong}>{f.field.startsWith("label.") ? t.ldap.label(f.field.slice(6)) : word(t.ldap.field, f.field)}</span>
      <div>
        {counts
          .filter(([n]) => n > 0)
          .map(([n, text, tone], i) => (
            <span key={i}>
              {i > 0 && " · "}
              <span className={tone}>{text(n)}</span>
            </span>
          ))}
        <div className={css.examples}>
          {f.examples.map((e, i) => (
            <span key={i}>
              {e.person}: {e.before || t.ldap.empty} → {e.after || t.ldap.empty}
            </span>
          ))}
        </div>
      </div>
    </div>
  );
}

function Groups({ diff: d }: { diff: MappingDiff }) {
  const { t } = useTexts();
  const called = useGroupNames();
  if (!d.foreseen) return <p className={`${styles.gap} ${styles.muted}`}>{t.ldap.membershipsMany}</p>;
  if (d.groups.length === 0) return <p className={`${styles.gap} ${styles.muted}`}>{t.ldap.membershipsNone}</p>;
  return (
    <div className={styles.gap}>
      <p className={styles.strong}>{t.ldap.memberships}</p>
      <div className={styles.chips}>
        {d.groups.map((g) => (
          <span key={g.group} className={styles.chip}>
            {called(g.group)} {g.added > 0 && <span className={styles.plus}>{t.ldap.joined(g.added)}</span>} {g.removed > 0 && <span className={styles.minus}>{t.ldap.left(g.removed)}</span>} {g.roles > 0 && t.ldap.roles(g.roles)}
          </span>
        ))}
      </div>
    </div>
  );
}
