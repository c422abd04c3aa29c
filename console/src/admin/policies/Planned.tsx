import { useQuery } from "@tanstack/react-query";
import { Segmented } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { plans } from "../../api/policies";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { Card, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Loaded } from "../../ui/states";
import { Name } from "../Name";
import styles from "../admin.module.css";

/** Planned is the plans that were made and are not in force. */
export function Planned() {
  const { t, locale } = useTexts();
  const [state, setState] = useState<"open" | "waiting">("open");
  const query = useQuery({ queryKey: ["plans", state], queryFn: ({ signal }) => plans(state, signal) });
  return (
    <Section
      title={t.policies.planned}
      hint={t.policies.plannedHint}
      more={
        <Segmented
          value={state}
          onChange={setState}
          options={[
            { value: "open", label: t.policies.open },
            { value: "waiting", label: t.policies.waiting },
          ]}
        />
      }
    >
      <Loaded query={query}>
        {(page) => (
          <Card rows>
            {page.items.length === 0 && <p className={styles.muted}>{t.policies.nonePlanned}</p>}
            {page.items.map((p) => (
              <div key={p.id} className={styles.line} style={{ flexWrap: "wrap" }} data-plan={p.id}>
                <span className={styles.lineText}>
                  <Link href={`/admin/policies/plans/${p.id}`}>
                    +{p.summary.added ?? 0} −{p.summary.removed ?? 0} ~{p.summary.changed ?? 0}
                  </Link>{" "}
                  <span className={styles.small}>
                    <Name id={p.author} plain />
                    {p.schedule?.state === "waiting" && ` · ${t.policies.due(full(p.schedule.at, locale))}`}
                  </span>
                </span>
                {p.held && <Tag tone="warn">{t.policies.held}</Tag>}
                <When at={p.created_at} />
              </div>
            ))}
          </Card>
        )}
      </Loaded>
    </Section>
  );
}
