import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Button, Drawer, Input, Switch } from "antd";
import { useState, type ReactNode } from "react";
import { curlOf, pretty, request, requests, traffic, type Seen, type SeenWhole, type SourceDetail } from "../../api/sources";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { Copy } from "../../ui/Copy";
import { Card, Code, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import styles from "../admin.module.css";
import own from "./source.module.css";

const page = 50;
const most = 200;

/** Requests are the last calls of a SCIM source with their answers, as they come in. */
export function Requests({ source }: { source: SourceDetail }) {
  const { t } = useTexts();
  const [failed, setFailed] = useState(false);
  const [live, setLive] = useState(true);
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(page);
  const [open, setOpen] = useState<string | null>(null);
  const kept = useQuery({ queryKey: ["source", source.id, "traffic"], queryFn: ({ signal }) => traffic(source.id, signal) });
  const query = useQuery({
    queryKey: ["source", source.id, "requests", failed, text, limit],
    queryFn: ({ signal }) => requests(source.id, { status: failed ? "failed" : undefined, q: text, limit }, signal),
    refetchInterval: live ? 3000 : false,
    placeholderData: keepPreviousData,
  });
  const hours = kept.data?.keep_hours ?? 24;
  return (
    <Section title={t.source.requests} hint={kept.data && (hours > 0 ? t.source.requestsHint(hours) : t.source.requestsOff)}>
      <div className={own.bar}>
        <Input.Search className={own.grow} allowClear placeholder={t.source.find} aria-label={t.source.find} maxLength={200} onSearch={setText} />
        <label>
          <Switch size="small" checked={failed} onChange={setFailed} data-failures /> {t.source.failuresOnly}
        </label>
        <label>
          <Switch size="small" checked={live} onChange={setLive} /> {t.source.live}
        </label>
      </div>
      <Loaded query={query}>
        {(found) => (
          <>
            <Card rows>
              {found.items.length === 0 && (failed || text ? <Empty title={t.source.noneFound} /> : <Empty title={t.source.noRequests} hint={t.source.noRequestsHint} />)}
              {found.items.map((r) => (
                <Row key={r.id} request={r} open={() => setOpen(r.id)} />
              ))}
            </Card>
            {found.next && limit < most && (
              <div className={styles.pager}>
                <Button onClick={() => setLimit(most)}>{t.shell.more}</Button>
              </div>
            )}
          </>
        )}
      </Loaded>
      <Drawer open={open !== null} onClose={() => setOpen(null)} size={640} title={t.source.requests} destroyOnHidden closable={{ "aria-label": t.source.close }}>
        {open && <Whole source={source} id={open} bodies={kept.data?.bodies ?? true} />}
      </Drawer>
    </Section>
  );
}

const tone = (r: Seen) => (r.failed ? "bad" : r.status >= 400 ? "quiet" : "good");

function plain(query: string): string {
  try {
    return decodeURIComponent(query.replaceAll("+", " "));
  } catch {
    return query;
  }
}

function Row({ request: r, open }: { request: Seen; open: () => void }) {
  const { locale } = useTexts();
  const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(r.at));
  return (
    <div className={own.requestRow}>
      <button type="button" className={own.request} onClick={open}>
        <time className={styles.small} dateTime={r.at} title={full(r.at, locale)}>
          {time}
        </time>
        <span className={own.method}>{r.method}</span>
        <span className={own.status}>
          <Tag tone={tone(r)}>{String(r.status)}</Tag>
        </span>
        <span className={own.address}>
          {r.path.replace(/^\/scim\/v2/i, "")}
          {r.query && `?${plain(r.query)}`}
        </span>
        <span className={own.ms}>{Math.max(1, Math.round(r.ms))} ms</span>
        {r.failed && <span className={own.detail}>{[r.scim_type, r.detail].filter(Boolean).join(": ")}</span>}
      </button>
    </div>
  );
}

function Whole({ source, id, bodies }: { source: SourceDetail; id: string; bodies: boolean }) {
  const query = useQuery({ queryKey: ["source", source.id, "request", id], queryFn: ({ signal }) => request(source.id, id, signal), staleTime: Infinity });
  return <Loaded query={query}>{(r) => <Facts request={r} source={source} bodies={bodies} />}</Loaded>;
}

function Facts({ request: r, source, bodies }: { request: SeenWhole; source: SourceDetail; bodies: boolean }) {
  const { t, locale } = useTexts();
  const token = source.tokens?.find((one) => one.id === r.token);
  const facts: [string, ReactNode][] = [
    [t.audit.at, full(r.at, locale)],
    [t.source.error, r.failed || r.detail ? [r.scim_type, r.detail].filter(Boolean).join(": ") : ""],
    [t.source.took, `${r.ms.toFixed(1)} ms`],
    [t.source.resource, r.resource && <Code>{r.resource}</Code>],
    [t.source.ignored, r.ignored?.length ? <Code>{r.ignored.join(", ")}</Code> : ""],
    [t.source.token, r.token && <>{token?.name} <Code>{r.token}</Code></>],
    [t.source.agent, r.client],
    [t.source.requestId, <Code key="id">{r.id}</Code>],
  ];
  return (
    <>
      <p className={styles.strong}>{t.source.requestTitle(r.method, r.status)}</p>
      <p>
        <Code>
          {r.path}
          {r.query && `?${plain(r.query)}`}
        </Code>
      </p>
      <dl className={own.facts}>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}:`}>{value}</dd>])}
      </dl>
      <div className={styles.buttons}>{source.scim_url && <Copy text={curlOf(r, source.scim_url)}>{t.source.copyCurl}</Copy>}</div>
      {bodies ? (
        <>
          <Body title={t.source.requestBody} body={r.request_body} />
          <Body title={t.source.answerBody} body={r.answer_body} />
        </>
      ) : (
        <p className={`${styles.small} ${own.note}`}>{t.source.bodiesOff}</p>
      )}
    </>
  );
}

function Body({ title, body }: { title: string; body: { text: string; bytes: number } }) {
  const { t } = useTexts();
  return (
    <>
      <div className={own.bodyHead}>
        {title}
        {body.bytes > 8192 && <span className={styles.small}>{t.source.cutAt(body.bytes)}</span>}
        {body.text && <Copy text={body.text} />}
      </div>
      {body.text ? <pre className={own.body} tabIndex={0}>{pretty(body.text)}</pre> : <p className={styles.small}>{t.source.noBody}</p>}
    </>
  );
}
