import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Modal } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { formerGrants, person as one, type Person, type SourceRecord } from "../../api/people";
import { split, workItems } from "../../api/workitems";
import { nameIn, useTexts, word } from "../../i18n";
import { Card, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Loaded, useProblemText } from "../../ui/states";
import { Effects } from "../workitems/Effects";
import { Pair } from "../workitems/WorkItemsPage";
import styles from "../admin.module.css";

/** Merged says who a person is now, whose records were given to somebody else. */
export function Merged({ person: p }: { person: Person }) {
  const { t } = useTexts();
  const into = useQuery({ queryKey: ["person", p.merged_into], queryFn: ({ signal }) => one(p.merged_into ?? "", signal), enabled: !!p.merged_into });
  if (!p.merged_into) return null;
  return (
    <section className={styles.planned}>
      <h2 className={styles.plannedTitle}>{t.review.mergedTitle}</h2>
      <p>
        {t.review.mergedInto} <Link href={`/admin/people/${p.merged_into}`}>{into.data?.display_name || p.merged_into}</Link>
      </p>
    </section>
  );
}

/** Questions are the open ones about this person. */
export function Questions({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["workitems", "of", id], queryFn: ({ signal }) => workItems({ person: id, state: "open", limit: 50 }, signal) });
  const items = query.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Section title={t.review.ofPerson} hint={t.review.ofPersonHint}>
      <Card rows>
        {items.map((i) => (
          <Pair key={i.id} item={i} />
        ))}
      </Card>
    </Section>
  );
}

/** FormerGrants lists what was given by hand and is over: for whoever was hired again, to be given again or not. */
export function FormerGrants({ person: p }: { person: Person }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["former", p.id], queryFn: ({ signal }) => formerGrants(p.id, signal) });
  const items = query.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Section title={t.review.former} hint={t.review.formerHint}>
      <Card rows>
        {items.map((g, i) => (
          <div key={i} className={styles.line}>
            <span className={styles.lineText}>
              {nameIn(locale, g.group.name, g.group.key ?? g.group.id)} <span className={styles.small}>{word(t.words.role, g.role)}</span>
            </span>
            {g.present && <Tag>{t.review.present}</Tag>}
            <When at={g.ended_at} />
          </div>
        ))}
      </Card>
    </Section>
  );
}

/** SplitButton takes a record from a person again, after a look at what follows. */
export function SplitButton({ person, record }: { person: string; record: SourceRecord }) {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button type="text" size="small" onClick={() => setOpen(true)}>
        {t.review.split}
      </Button>
      {open && <Split person={person} record={record} close={() => setOpen(false)} />}
    </>
  );
}

function Split({ person, record: r, close }: { person: string; record: SourceRecord; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const preview = useQuery({ queryKey: ["split", person, r.link], queryFn: ({ signal }) => split(person, r.link, true, signal), staleTime: 0, gcTime: 0 });
  const action = useMutation({
    mutationFn: () => split(person, r.link, false),
    onSuccess: () => {
      void message.success(t.review.splitDone);
      close();
    },
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <Modal open title={t.review.splitTitle(r.source?.name ?? "")} okText={t.review.split} okButtonProps={{ loading: action.isPending, disabled: !preview.data }} cancelText={t.shell.cancel} onOk={() => action.mutate()} onCancel={close}>
      <p>{t.review.splitText}</p>
      <Loaded query={preview}>{(j) => <Effects joining={j} plain />}</Loaded>
      {action.error && (
        <p className={styles.alertTitle} role="alert">
          {textOf(action.error)}
        </p>
      )}
    </Modal>
  );
}
