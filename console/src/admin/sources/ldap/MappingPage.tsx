import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { draftOf, ldap, mappingOf, same, wrong, type Draft, type Ldap, type Version } from "../../../api/ldap";
import { source } from "../../../api/sources";
import { useTexts } from "../../../i18n";
import { Page } from "../../../ui/page";
import { Loaded } from "../../../ui/states";
import { Form } from "./Form";
import { Samples } from "./Samples";
import { Versions } from "./Versions";
import { Whole } from "./Whole";
import styles from "../../admin.module.css";
import own from "./mapping.module.css";

/** MappingPage changes where attributes of people are read from, beside real entries and what becomes of them. */
export default function MappingPage({ id }: { id: string }) {
  const { t } = useTexts();
  const about = useQuery({ queryKey: ["source", id], queryFn: ({ signal }) => source(id, signal) });
  const query = useQuery({ queryKey: ["source", id, "ldap"], queryFn: ({ signal }) => ldap(id, signal), refetchInterval: (q) => (q.state.data?.progress ? 700 : false), retry: false });
  const name = about.data?.name ?? t.sources.title;
  return (
    <Page
      title={t.ldap.mapping}
      lead={t.ldap.mappingLead}
      above={
        <Link className={styles.back} href={`/admin/sources/${id}`}>
          ‹ {name}
        </Link>
      }
    >
      <Loaded query={query}>{(found) => <Editor key={found.mapping.version} id={id} ldap={found} />}</Loaded>
    </Page>
  );
}

/** useSettled answers a value once it has not changed for a moment. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), ms);
    return () => window.clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

function Editor({ id, ldap: found }: { id: string; ldap: Ldap }) {
  const { t } = useTexts();
  const [start] = useState(() => draftOf(found.mapping));
  const [draft, setDraft] = useState<Draft>(start);
  const changed = !same(start, draft);
  const bad = [...Object.values(draft.fields), ...draft.labels.map((l) => l.from)].some((list) => wrong(list) !== undefined);
  const settled = useSettled(draft, 400);
  const [good, setGood] = useState(start); // the last draft that can be asked about
  const ok = ![...Object.values(settled.fields), ...settled.labels.map((l) => l.from)].some((list) => wrong(list) !== undefined);
  useEffect(() => {
    if (ok) setGood(settled);
  }, [settled, ok]);
  const bring = (v: Version) => {
    setDraft({ fields: Object.fromEntries(found.mapping.fields.map((f) => [f.field, v.mapping?.[f.field] ?? ""])), labels: Object.entries(v.labels ?? {}).map(([label, from]) => ({ label, from })) });
    window.scrollTo({ top: 0 });
  };
  return (
    <>
      <p className={styles.muted} style={{ marginBottom: 18 }}>{found.mapping.file ? t.ldap.fromFile : t.ldap.inForce(found.mapping.version)}</p>
      <div className={own.split}>
        <div>
          <Form mapping={found.mapping} draft={draft} change={setDraft} />
          <div className={styles.buttons}>
            <Button disabled={!changed} onClick={() => setDraft(start)}>
              {t.ldap.reset}
            </Button>
          </div>
          <p className={`${styles.small} ${styles.gap}`}>
            {t.ldap.identity} <Link href={`/admin/sources/${id}`}>{t.ldap.identityLink}</Link>
          </p>
        </div>
        <Samples id={id} draft={good} proposed={!same(start, good) ? mappingOf(good) : undefined} fields={found.mapping.fields.map((f) => f.field)} />
      </div>
      <Whole id={id} draft={draft} changed={changed} bad={bad} progress={found.progress} own={!found.mapping.file} />
      <Versions versions={found.mapping.versions} edit={bring} />
    </>
  );
}
