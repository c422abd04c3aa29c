import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Checkbox, Input, Modal } from "antd";
import { useState } from "react";
import { agreed, applyPlan, approvePlan, isHeld, schedulePlan, tally, unschedulePlan, type Plan } from "../../api/policies";
import { useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card } from "../../ui/page";
import { Tag } from "../../ui/people";
import { useProblemText } from "../../ui/states";
import { AskOthers } from "../approvals/AskOthers";
import { useChannelNames, useGroupNames } from "../groups/names";
import { Name } from "../Name";
import { settingOf } from "./words";
import styles from "../admin.module.css";

/** useAct makes one call about a plan, says that it was done, and asks anew. */
function useAct<T>(send: (what: T) => Promise<unknown>, done: string, after: () => void) {
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSuccess: async () => {
      void message.success(done);
      after();
      await queries.invalidateQueries();
    },
  });
}

/** PlanActions is what one may do with a plan: approve somebody else's, apply it, have it applied later, take that back. */
export function PlanActions({ plan, applied }: { plan: Plan; applied: () => void }) {
  const { t } = useTexts();
  const me = useMe();
  const [asking, setAsking] = useState<"" | "now" | "later">("");
  if (plan.state === "applied" || !mayEverywhere(me, "policies.apply")) return null;
  const { removed } = tally(plan);
  const waiting = plan.schedule?.state === "waiting";
  return (
    <>
      <Approval plan={plan} />
      <div className={styles.buttons}>
        <Button type="primary" danger={removed > 0} disabled={!agreed(plan)} onClick={() => setAsking("now")} data-apply>
          {t.policies.apply}
        </Button>
        {!waiting && (
          <Button onClick={() => setAsking("later")} data-schedule>
            {t.policies.schedule}
          </Button>
        )}
      </div>
      {asking && <Ask plan={plan} later={asking === "later"} close={() => setAsking("")} applied={applied} />}
    </>
  );
}

function Ask({ plan, later, close, applied }: { plan: Plan; later: boolean; close: () => void; applied: () => void }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const [looked, setLooked] = useState(false);
  const [at, setAt] = useState("");
  const held = isHeld(plan.verdict);
  const { added, removed } = tally(plan);
  const now = useAct(() => applyPlan(plan.id, plan.hash, held && looked), t.policies.applied, () => {
    close();
    applied();
  });
  const then = useAct(() => schedulePlan(plan.id, plan.hash, new Date(at).toISOString(), held && looked), t.policies.scheduled, close);
  const send = later ? then : now;
  return (
    <Modal open title={later ? t.policies.scheduleTitle : t.policies.applyTitle} okText={later ? t.policies.schedule : t.policies.apply} cancelText={t.shell.cancel} okButtonProps={{ danger: removed > 0, disabled: (held && !looked) || (later && !at), loading: send.isPending }} onOk={() => send.mutate(undefined)} onCancel={close}>
      <p>{later ? t.policies.scheduleText(Intl.DateTimeFormat().resolvedOptions().timeZone) : t.policies.applyText(added, removed)}</p>
      {later && <Input className={styles.gap} type="datetime-local" aria-label={t.policies.at} value={at} onChange={(e) => setAt(e.target.value)} />}
      {held && (
        <Checkbox className={styles.gap} checked={looked} onChange={(e) => setLooked(e.target.checked)}>
          {t.policies.applyConfirm(removed)}
        </Checkbox>
      )}
      {send.error && (
        <p className={`${styles.gap} ${styles.alertTitle}`} role="alert">
          {textOf(send.error)}
        </p>
      )}
    </Modal>
  );
}

/** Approval says that a second administrator has to find the plan right, and lets them. */
function Approval({ plan }: { plan: Plan }) {
  const { t } = useTexts();
  const me = useMe();
  const textOf = useProblemText();
  const approve = useAct(() => approvePlan(plan.id, plan.hash), t.policies.approved, () => {});
  const [asking, setAsking] = useState(false);
  const called = { group: useGroupNames(), channel: useChannelNames() };
  const eyes = plan.four_eyes;
  if (!eyes?.needed) return null;
  const self = me.person?.id;
  const losing = plan.summary?.losing ?? 0;
  const given = eyes.given ?? [];
  return (
    <Card rows>
      <div className={styles.line} style={{ flexWrap: "wrap" }} data-four-eyes>
        <span className={styles.lineText} style={{ whiteSpace: "normal" }}>
          <span className={styles.strong}>{t.policies.fourEyes}</span>
          {(eyes.loosens ?? []).length > 0 && <div className={styles.small}>{t.policies.loosens((eyes.loosens ?? []).map((name) => settingOf(t, called, name)).join(t.policies.and))}</div>}
          {(eyes.gives ?? []).length > 0 && <div className={styles.small}>{t.policies.gives((eyes.gives ?? []).map(called.group).join(", "))}</div>}
          {losing > 0 && (eyes.losing ?? 0) > (eyes.limit ?? 0) && <div className={styles.small}>{t.policies.fourEyesHint(eyes.limit ?? 0, (eyes.losing ?? 0) > losing ? eyes.losing : undefined)}</div>}
          {(eyes.people ?? 1) > 1 && <div className={styles.small}>{t.policies.more(eyes.people ?? 1)}</div>}
          {eyes.author_gone && <div className={styles.small}>{t.policies.authorGone}</div>}
          {given.map((g) => (
            <div key={g.approver} className={styles.small}>
              {t.policies.approvedBy} <Name id={g.approver} /> {g.lapsed && <Tag tone="warn">{t.policies.lapsed}</Tag>}
            </div>
          ))}
          {approve.error && (
            <div className={styles.alertTitle} role="alert">
              {textOf(approve.error)}
            </div>
          )}
        </span>
        {plan.author === self ? (
          (eyes.given ?? []).filter((g) => !g.lapsed).length < (eyes.people ?? 1) && (
            <>
              <span className={styles.small}>{t.policies.own}</span>
              <Button onClick={() => setAsking(true)} data-ask-approval>
                {t.policies.askApproval}
              </Button>
            </>
          )
        ) : (
          !given.some((g) => g.approver === self) && (
            <Button loading={approve.isPending} onClick={() => approve.mutate(undefined)} data-approve>
              {t.policies.approve}
            </Button>
          )
        )}
      </div>
      {asking && <AskOthers kind="plan" object={plan.id} close={() => setAsking(false)} />}
    </Card>
  );
}

/** Due says when a plan is to be applied, or what became of that. */
export function Due({ plan }: { plan: Plan }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const textOf = useProblemText();
  const back = useAct(() => unschedulePlan(plan.id), t.policies.unscheduled, () => {});
  const s = plan.schedule;
  if (!s || s.state === "cancelled") return null;
  return (
    <div className={styles.gap}>
      <Card rows>
        <div className={styles.line} style={{ flexWrap: "wrap" }}>
          <span className={styles.lineText} style={{ whiteSpace: "normal" }}>
            <span className={styles.strong}>{t.policies.due(full(s.at, locale))}</span>{" "}
            <span className={styles.small}>
              {t.policies.dueBy} <Name id={s.by} plain />
              {s.problem && ` · ${word(t.policies.problem, s.problem)}`}
              {back.error ? ` · ${textOf(back.error)}` : ""}
            </span>
          </span>
          <Tag tone={s.state === "refused" ? "bad" : s.state === "applied" ? "good" : "accent"}>{word(t.policies.scheduleState, s.state)}</Tag>
          {s.state === "waiting" && mayEverywhere(me, "policies.apply") && (
            <Button loading={back.isPending} onClick={() => back.mutate(undefined)} data-unschedule>
              {t.policies.unschedule}
            </Button>
          )}
        </div>
      </Card>
    </div>
  );
}
