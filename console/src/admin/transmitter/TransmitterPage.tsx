import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, App as AntApp, Button, Input, Select } from "antd";
import { useState } from "react";
import { sources } from "../../api/sources";
import { addReceiver, removeReceiver, renewToken, rotateKey, setStatus, transmitter, verifyReceiver, type NewReceiver, type SubjectForm, type ToldReceiver, type Transmitter } from "../../api/transmitter";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Code, Page, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Empty, Loaded, NotFound, useProblemText } from "../../ui/states";
import styles from "../admin.module.css";

type Change = (work: () => Promise<unknown>) => Promise<boolean>;

/** TransmitterPage shows who else is told what becomes of accounts, and how far, and changes it. */
export default function TransmitterPage() {
  const { t } = useTexts();
  const me = useMe();
  const queries = useQueryClient();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const [token, setToken] = useState<{ name: string; token: string }>();
  const reads = mayEverywhere(me, "signals.read");
  const writes = mayEverywhere(me, "signals.write");
  const query = useQuery({ queryKey: ["transmitter"], queryFn: ({ signal }) => transmitter(signal), refetchInterval: 10_000, enabled: reads });
  const change: Change = async (work) => {
    try {
      const made = await work();
      if (isToken(made)) setToken(made);
      else void message.success(t.transmitter.done);
      return true;
    } catch (error) {
      void message.error(textOf(error));
      return false;
    } finally {
      await queries.invalidateQueries({ queryKey: ["transmitter"] });
    }
  };
  if (!reads) return <NotFound full />;
  return (
    <Page title={t.transmitter.title} lead={t.transmitter.lead}>
      {token && <Alert className={styles.gap} type="success" showIcon closable={{ onClose: () => setToken(undefined) }} title={`${token.name}: ${t.transmitter.token}`} description={<Code>{token.token}</Code>} />}
      <Loaded query={query}>
        {(all) => (
          <>
            <p className={styles.small}>
              {t.transmitter.configuration}: <Code>{all.configuration}</Code>
            </p>
            <Card rows>
              {all.items.length === 0 ? <Empty title={t.transmitter.none} hint={t.transmitter.noneHint} /> : all.items.map((r) => <Row key={r.name} receiver={r} writes={writes} change={change} />)}
            </Card>
            {writes && <Add change={change} />}
            <Keys keys={all.keys} writes={writes} change={change} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

const isToken = (made: unknown): made is { name: string; token: string } => typeof made === "object" && made !== null && "token" in made;

function Row({ receiver: r, writes, change }: { receiver: ToldReceiver; writes: boolean; change: Change }) {
  const { t } = useTexts();
  const { modal } = AntApp.useApp();
  const ask = (title: string, content: string, okText: string, work: () => Promise<unknown>) =>
    modal.confirm({ title, content, okText, okButtonProps: { danger: true }, cancelText: t.shell.cancel, onOk: () => change(work) });
  return (
    <div data-receiver={r.name}>
      <div className={styles.line} style={{ flexWrap: "wrap" }}>
        <span className={styles.lineText} style={{ minWidth: 220 }}>
          <span className={styles.strong}>{r.name}</span>
          <div className={styles.small}>
            {r.audience} · {t.transmitter.subjects[r.subject]} · {r.method ? t.transmitter.methods[r.method] : t.transmitter.noStream}
            {r.reason && ` · ${r.reason}`}
          </div>
        </span>
        <Tag tone={r.status === "enabled" ? "good" : "warn"}>{t.transmitter.status[r.status]}</Tag>
        <Tag tone={r.problem ? "bad" : r.waiting > 0 ? "warn" : "quiet"}>{r.waiting > 0 ? t.transmitter.waiting(r.waiting) : t.transmitter.told(r.delivered)}</Tag>
        {r.refused > 0 && <Tag tone="warn">{t.transmitter.refused(r.refused)}</Tag>}
        {r.unnamed > 0 && <Tag tone="warn">{t.transmitter.unnamed(r.unnamed)}</Tag>}
        {writes && (
          <>
            {r.stream && (
              <>
                <Button type="text" onClick={() => void change(() => verifyReceiver(r.name))}>
                  {t.transmitter.verify}
                </Button>
                <Button type="text" onClick={() => void change(() => setStatus(r.name, r.status === "enabled" ? "paused" : "enabled"))}>
                  {r.status === "enabled" ? t.transmitter.pause : t.transmitter.enable}
                </Button>
              </>
            )}
            <Button type="text" onClick={() => ask(`${r.name}: ${t.transmitter.renew}`, t.transmitter.renewText, t.transmitter.renew, () => renewToken(r.name))}>
              {t.transmitter.renew}
            </Button>
            <Button danger onClick={() => ask(t.transmitter.removeTitle(r.name), t.transmitter.removeText, t.transmitter.remove, () => removeReceiver(r.name))}>
              {t.transmitter.remove}
            </Button>
          </>
        )}
      </div>
      {r.problem && (
        <p className={styles.small}>
          {t.transmitter.failing(r.failures)}: {r.problem} · <When at={r.problem_since} />
        </p>
      )}
    </div>
  );
}

const blank: NewReceiver = { name: "", audience: "", subject: "email", method: "poll" };

function Add({ change }: { change: Change }) {
  const { t } = useTexts();
  const me = useMe();
  const [r, setR] = useState(blank);
  const known = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal), enabled: r.subject === "external_id" && mayEverywhere(me, "sources.read") });
  const set = (more: Partial<NewReceiver>) => setR({ ...r, ...more });
  const whole = r.name !== "" && r.audience !== "" && (r.method !== "push" || r.endpoint) && (r.subject !== "external_id" || r.source);
  const text = (key: "name" | "audience" | "endpoint" | "endpoints" | "peer") => (
    <Input className={styles.wide} style={{ flex: "1 1 220px" }} value={r[key] ?? ""} placeholder={t.transmitter[key]} aria-label={t.transmitter[key]} onChange={(e) => set({ [key]: e.target.value.trim() })} />
  );
  const forms: SubjectForm[] = ["email", "iss_sub", "opaque", "external_id"];
  const methods: NewReceiver["method"][] = ["poll", "push", ""];
  return (
    <Section title={t.transmitter.add}>
      <div className={styles.filters}>
        {text("name")}
        {text("audience")}
        <Select className={styles.wide} value={r.subject} aria-label={t.transmitter.subject} onChange={(subject) => set({ subject, source: undefined })} options={forms.map((value) => ({ value, label: t.transmitter.subjects[value] }))} />
        {r.subject === "external_id" && (
          <Select className={styles.wide} value={r.source} placeholder={t.transmitter.source} aria-label={t.transmitter.source} onChange={(source) => set({ source })} options={(known.data?.items ?? []).map((s) => ({ value: s.id, label: s.name }))} />
        )}
        <Select className={styles.wide} value={r.method} aria-label={t.transmitter.method} onChange={(method) => set({ method, endpoint: undefined, endpoints: undefined, authorization: undefined })} options={methods.map((value) => ({ value, label: t.transmitter.methods[value] }))} />
        {r.method === "push" && text("endpoint")}
        {r.method === "push" && (
          <Input.Password className={styles.wide} style={{ flex: "1 1 220px" }} value={r.authorization ?? ""} autoComplete="off" placeholder={t.transmitter.authorization} aria-label={t.transmitter.authorization} onChange={(e) => set({ authorization: e.target.value })} />
        )}
        {r.method === "" && text("endpoints")}
        {text("peer")}
        <Button
          type="primary"
          disabled={!whole}
          onClick={() => {
            void change(() => addReceiver(r)).then((done) => done && setR(blank));
          }}
        >
          {t.transmitter.add}
        </Button>
      </div>
    </Section>
  );
}

function Keys({ keys, writes, change }: { keys: Transmitter["keys"]; writes: boolean; change: Change }) {
  const { t, locale } = useTexts();
  const { modal } = AntApp.useApp();
  const rotate = () => modal.confirm({ title: t.transmitter.rotate, content: t.transmitter.rotateText, okText: t.transmitter.rotate, cancelText: t.shell.cancel, onOk: () => change(rotateKey) });
  if (keys.length === 0) return null;
  return (
    <Section title={t.transmitter.keys} more={writes && <Button onClick={rotate}>{t.transmitter.rotate}</Button>}>
      <Card rows>
        {keys.map((k) => (
          <div key={k.id} className={styles.line}>
            <span className={styles.lineText}>
              <Code>{k.id}</Code>
            </span>
            <span className={styles.small}>
              {t.transmitter.key(full(k.signs_from, locale))}
              {k.gone_at && ` · ${t.transmitter.gone(full(k.gone_at, locale))}`}
            </span>
          </div>
        ))}
      </Card>
    </Section>
  );
}
