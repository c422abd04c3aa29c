import { CheckCircleFilled, CloseCircleFilled } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Segmented } from "antd";
import { useState, type ReactNode } from "react";
import { syncSource, testSource, type SourceDetail, type Step, type Trial } from "../../api/sources";
import { useTexts, word } from "../../i18n";
import { Copy } from "../../ui/Copy";
import { Card, Code, Section } from "../../ui/page";
import { useProblemText } from "../../ui/states";
import styles from "../admin.module.css";
import own from "./source.module.css";

type Client = "entra" | "okta" | "other";

/** Connection shows what to paste into a client, and tries the connection. */
export function Connection({ source }: { source: SourceDetail }) {
  const { t } = useTexts();
  if (source.kind !== "scim" && source.kind !== "ldap") return null;
  return (
    <Section title={t.source.connection} hint={source.kind === "scim" ? t.source.connectionHint : undefined}>
      {source.kind === "scim" && source.scim_url && <Values base={source.scim_url} />}
      <Test source={source} />
    </Section>
  );
}

function Values({ base }: { base: string }) {
  const { t } = useTexts();
  const [client, setClient] = useState<Client>("entra");
  const v = t.source.values;
  const rows: [string, ReactNode, string?][] = [
    [client === "entra" ? v.tenantUrl : v.baseUrl, <Code key="base">{base}</Code>, base],
    ...(client === "entra" ? [] : [[v.auth, v.authValue] as [string, ReactNode]]),
    [v.secret, v.secretHint],
    ...(client === "entra" ? [] : [[v.matching, <Code key="match">userName</Code>, "userName"] as [string, ReactNode, string]]),
    ...(client === "entra" ? [] : [[v.actions, client === "okta" ? v.actionsValue : v.actionsAll] as [string, ReactNode]]),
  ];
  return (
    <>
      <div className={own.bar}>
        <Segmented<Client> value={client} onChange={setClient} options={(["entra", "okta", "other"] as const).map((value) => ({ value, label: t.source.client[value] }))} />
      </div>
      <Card rows>
        {rows.map(([name, value, copy]) => (
          <div key={name} className={own.value}>
            <span className={own.valueName}>{name}</span>
            <span className={own.valueText}>{value}</span>
            {copy ? <Copy text={copy} /> : <span />}
          </div>
        ))}
      </Card>
    </>
  );
}

function Test({ source }: { source: SourceDetail }) {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const test = useMutation({
    mutationFn: () => testSource(source.id, locale === "zh-CN" ? "zh" : "en"),
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", source.id] }),
  });
  const sync = useMutation({
    mutationFn: () => syncSource(source.id),
    onSuccess: (s) => void message.success(t.source.synced(s.people, s.written), 6),
    onError: (error) => void message.error(textOf(error), 8),
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", source.id] }),
  });
  return (
    <>
      <div className={styles.buttons}>
        <Button type="primary" data-test-connection loading={test.isPending} onClick={() => test.mutate()}>
          {test.data ? t.source.testAgain : t.source.test}
        </Button>
        {source.kind === "ldap" && (
          <Button loading={sync.isPending} onClick={() => sync.mutate()}>
            {t.source.sync}
          </Button>
        )}
        {test.data && <Copy text={test.data.text}>{t.source.copyReport}</Copy>}
      </div>
      {!test.data && <p className={`${styles.small} ${own.note}`}>{source.kind === "scim" ? t.source.testHint : t.source.testLdapHint}</p>}
      {test.error && (
        <p className={styles.alertTitle} role="alert">
          {textOf(test.error)}
        </p>
      )}
      <div role="status" aria-live="polite">
        {test.data && !test.isPending && <Result trial={test.data} />}
      </div>
    </>
  );
}

function Result({ trial }: { trial: Trial }) {
  const { t } = useTexts();
  const bad = trial.steps.filter((s) => !s.ok).length;
  return (
    <div className={styles.gap}>
      <div className={`${styles.verdict} ${bad ? styles.verdictNo : styles.verdictYes}`}>
        <span className={styles.verdictIcon}>{bad ? <CloseCircleFilled /> : <CheckCircleFilled />}</span>
        <div>
          <div className={styles.verdictText}>{bad ? t.source.testFailed(bad, trial.steps.length) : t.source.testOk(trial.steps.length)}</div>
          <div className={styles.verdictMore}>{trial.target}</div>
        </div>
      </div>
      <Card rows>
        {trial.steps.map((s) => (
          <Line key={s.name} step={s} />
        ))}
      </Card>
    </div>
  );
}

function Line({ step: s }: { step: Step }) {
  const { t, locale } = useTexts();
  const hint = s.hint?.[locale === "zh-CN" ? "zh" : "en"];
  return (
    <div className={own.step}>
      <span className={s.ok ? own.good : own.bad} role="img" aria-label={s.ok ? t.words.yes : t.words.no}>
        {s.ok ? <CheckCircleFilled /> : <CloseCircleFilled />}
      </span>
      <div>
        <span className={styles.strong}>{word(t.source.steps, s.name)}</span> {s.request && <Code>{s.request}</Code>}
        <div className={own.stepMore}>
          {!s.ok && s.expected !== "" && `${t.source.expected}: ${s.expected} · `}
          {t.source.got}: {s.got}
        </div>
        {hint && <div className={`${own.hint} ${s.ok ? styles.small : ""}`}>{hint}</div>}
      </div>
      <span className={own.ms}>{s.ms > 0 ? `${Math.max(1, Math.round(s.ms))} ms` : ""}</span>
    </div>
  );
}
