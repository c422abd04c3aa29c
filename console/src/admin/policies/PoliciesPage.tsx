import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { useState } from "react";
import { policies, type PolicyVersion } from "../../api/policies";
import { useTexts } from "../../i18n";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Page } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Empty, Loaded, Loading } from "../../ui/states";
import { Name } from "../Name";
import { PlanEditor } from "./PlanEditor";
import { Planned } from "./Planned";
import { useText } from "./TextOf";
import { Version } from "./Version";
import styles from "../admin.module.css";

/** PoliciesPage shows the policy in force and its versions, and makes plans of a new text. */
export default function PoliciesPage() {
  const { t } = useTexts();
  const me = useMe();
  const query = useQuery({ queryKey: ["policies"], queryFn: ({ signal }) => policies(signal) });
  const [chosen, setChosen] = useState<number | null>(null);
  const [editing, setEditing] = useState(false);
  return (
    <Page
      title={t.policies.title}
      lead={t.policies.lead}
      actions={
        !editing &&
        mayEverywhere(me, "policies.plan") && (
          <Button type="primary" onClick={() => setEditing(true)}>
            {t.policies.plan}
          </Button>
        )
      }
    >
      <Loaded query={query}>
        {(page) => {
          const versions = [...page.items].sort((a, b) => b.version - a.version);
          const current = versions.find((v) => v.in_force) ?? versions[0];
          const shown = versions.find((v) => v.version === chosen) ?? current;
          if (editing) return <Editing current={current} close={() => setEditing(false)} />;
          if (!shown) return <Empty title={t.policies.none} hint={t.policies.noneHint} />;
          return (
            <>
              <div className={styles.split}>
                <Version key={shown.version} version={shown} inForce={current?.version ?? 0} />
                <Versions versions={versions} shown={shown.version} choose={setChosen} />
              </div>
              {mayEverywhere(me, "plans.read") && <Planned />}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Editing({ current, close }: { current?: PolicyVersion; close: () => void }) {
  const { text, loading } = useText(current);
  return loading ? <Loading /> : <PlanEditor current={text ?? ""} close={close} />;
}

function Versions({ versions, shown, choose }: { versions: PolicyVersion[]; shown: number; choose: (v: number) => void }) {
  const { t } = useTexts();
  return (
    <div>
      <h2 className={styles.small}>{t.policies.versions}</h2>
      <ul>
        {versions.map((v, i) => (
          <li key={v.version}>
            <button type="button" className={styles.version} aria-current={v.version === shown} onClick={() => choose(v.version)}>
              <span className={styles.line}>
                <span className={styles.lineText}>{t.policies.version(v.version)}</span>
                {(v.in_force ?? i === 0) && <Tag tone="good">{t.policies.inForce}</Tag>}
              </span>
              <span className={styles.small}>
                {v.author && (
                  <>
                    <Name id={v.author} known={v.author_name} plain /> ·{" "}
                  </>
                )}
                <When at={v.at} />
                {v.back_to ? ` · ${t.policies.backTo(v.back_to)}` : ""}
                {v.reason && <div>{v.reason}</div>}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
