import { useMutation, useQuery } from "@tanstack/react-query";
import { Button, Input, Modal, Segmented } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { diff, planBack, type PolicyVersion } from "../../api/policies";
import { useTexts } from "../../i18n";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card } from "../../ui/page";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import { Differences } from "./Differences";
import { TextOf } from "./TextOf";
import styles from "../admin.module.css";

/** Version is one version: its text, what it says otherwise than the one before and the one in force, and the way back to it. */
export function Version({ version: v, inForce }: { version: PolicyVersion; inForce: number }) {
  const { t } = useTexts();
  const me = useMe();
  const [from, setFrom] = useState(0);
  const [asking, setAsking] = useState(false);
  const others = [...new Set([v.version - 1, inForce])].filter((n) => n > 0 && n !== v.version);
  return (
    <div>
      <div className={styles.filters}>
        {others.length > 0 && <Segmented value={from} onChange={setFrom} options={[{ value: 0, label: t.policies.text }, ...others.map((n) => ({ value: n, label: t.policies.sinceBefore(n) }))]} />}
        {v.version !== inForce && mayEverywhere(me, "policies.plan") && (
          <Button onClick={() => setAsking(true)} data-go-back>
            {t.policies.goBack}
          </Button>
        )}
      </div>
      {v.reason && <p className={styles.muted}>{v.reason}</p>}
      {from === 0 ? <TextOf version={v} /> : <Diff version={v.version} from={from} />}
      {asking && <GoBack version={v.version} close={() => setAsking(false)} />}
    </div>
  );
}

function GoBack({ version, close }: { version: number; close: () => void }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const [, go] = useLocation();
  const [reason, setReason] = useState("");
  const make = useMutation({ mutationFn: () => planBack(version, reason.trim()), onSuccess: (made) => go(`/admin/policies/plans/${made.id}`) });
  return (
    <Modal open title={t.policies.goBackTitle(version)} okText={t.policies.makePlan} cancelText={t.shell.cancel} okButtonProps={{ loading: make.isPending }} onOk={() => make.mutate()} onCancel={close}>
      <p>{t.policies.goBackText}</p>
      <Input className={styles.gap} maxLength={1000} value={reason} onChange={(e) => setReason(e.target.value)} placeholder={t.policies.reason} aria-label={t.policies.reason} />
      {make.error && (
        <p className={`${styles.gap} ${styles.alertTitle}`} role="alert">
          {textOf(make.error)}
        </p>
      )}
    </Modal>
  );
}

function Diff({ version, from }: { version: number; from: number }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["policies", version, "diff", from], queryFn: ({ signal }) => diff(version, from, signal) });
  return (
    <Loaded query={query}>
      {(page) =>
        page.items.length === 0 ? (
          <Card>
            <Empty title={t.policies.same} />
          </Card>
        ) : (
          <Differences items={page.items} />
        )
      }
    </Loaded>
  );
}
