import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Modal, Segmented } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { assign, handovers, type Called, type Handover } from "../../api/inbox";
import { useTexts } from "../../i18n";
import { nameOf, whyText } from "../../inbox/words";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page } from "../../ui/page";
import { When } from "../../ui/people";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import { ChoosePerson } from "../access/choose";
import styles from "../admin.module.css";

/** HandoversPage is what nobody answers for and what is offered to somebody. */
export default function HandoversPage() {
  const { t } = useTexts();
  const [state, setState] = useState<"waiting" | "offered">("waiting");
  const query = useQuery({ queryKey: ["handovers", state], queryFn: ({ signal }) => handovers(state, signal), refetchInterval: 60_000 });
  const [chosen, setChosen] = useState<Handover | null>(null);
  return (
    <Page
      title={t.inbox.handovers}
      lead={t.inbox.handoversLead}
      actions={
        <Segmented
          value={state}
          onChange={setState}
          options={[
            { value: "waiting", label: t.inbox.state.waiting },
            { value: "offered", label: t.inbox.state.offered },
          ]}
        />
      }
    >
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 ? (
            <Card>
              <Empty title={state === "waiting" ? t.inbox.noneWaiting : t.inbox.noneOffered} hint={state === "waiting" ? t.inbox.noneWaitingHint : undefined} />
            </Card>
          ) : (
            <>
              <Card rows>
                {page.items.map((h) => (
                  <Row key={h.id} step={h} names={page.names} choose={() => setChosen(h)} />
                ))}
              </Card>
              {chosen && <Assign step={chosen} names={page.names} close={() => setChosen(null)} />}
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Row({ step: h, names, choose }: { step: Handover; names: Called; choose: () => void }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const name = nameOf(names, locale, h.thing);
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-handover={h.id}>
      <span className={styles.lineText}>
        <span className={styles.strong}>{h.kind === "group" && mayEverywhere(me, "groups.read") ? <Link href={`/admin/groups/${h.thing}`}>{name}</Link> : name}</span>
        <div className={styles.small}>
          <Link href={`/admin/people/${h.from}`}>{nameOf(names, locale, h.from)}</Link>
          {h.to && (
            <>
              {" → "}
              <Link href={`/admin/people/${h.to}`}>{nameOf(names, locale, h.to)}</Link> · {whyText(t, h.why)}
            </>
          )}
        </div>
      </span>
      <When at={h.opened_at} />
      {mayEverywhere(me, "holds.decide") && (
        <Button onClick={choose} data-assign>
          {t.inbox.assign}
        </Button>
      )}
    </div>
  );
}

function Assign({ step: h, names, close }: { step: Handover; names: Called; close: () => void }) {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [person, setPerson] = useState("");
  const send = useMutation({
    mutationFn: () => assign(h.id, person),
    onSuccess: async () => {
      void message.success(t.inbox.assigned);
      close();
      await queries.invalidateQueries({ queryKey: ["handovers"] });
    },
  });
  return (
    <Modal open title={t.inbox.assignTitle(nameOf(names, locale, h.thing))} okText={t.inbox.assign} cancelText={t.shell.cancel} okButtonProps={{ disabled: !person, loading: send.isPending }} onOk={() => send.mutate()} onCancel={close}>
      <p>{t.inbox.assignText}</p>
      <div className={`${styles.gap} ${styles.filters}`}>
        <ChoosePerson value={person} onChange={(id) => setPerson(id ?? "")} />
      </div>
      {send.error && (
        <p className={styles.alertTitle} role="alert">
          {textOf(send.error)}
        </p>
      )}
    </Modal>
  );
}
