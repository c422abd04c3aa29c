import { useQuery } from "@tanstack/react-query";
import { outlets, type Outlet } from "../../api/audit";
import { useTexts } from "../../i18n";
import { Card, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Loaded } from "../../ui/states";
import styles from "../admin.module.css";
import own from "./audit.module.css";

/** Outlets shows where the log is carried to, and how far. */
export function Outlets() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["audit", "outlets"], queryFn: ({ signal }) => outlets(signal), refetchInterval: 10_000 });
  return (
    <Section title={t.audit.outlets}>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={styles.small}>{t.audit.noOutlets}</p>
          ) : (
            <Card rows>
              {items.map((o) => (
                <Line key={o.name} outlet={o} />
              ))}
            </Card>
          )
        }
      </Loaded>
    </Section>
  );
}

function Line({ outlet: o }: { outlet: Outlet }) {
  const { t } = useTexts();
  return (
    <div>
      <div className={own.line}>
        <span>
          {o.name} ({o.kind})
        </span>
        <span className={own.subject}>
          <Tag tone={o.problem ? "bad" : o.behind > 0 ? "warn" : "good"}>{o.behind > 0 ? t.audit.behind(o.behind) : t.audit.arrived}</Tag>
        </span>
        <span className={own.actor}>{o.checkpoint_size > 0 ? t.audit.signedTo(o.checkpoint_size) : t.audit.unsigned}</span>
        <When at={o.problem_since ?? o.sent_at} />
      </div>
      {o.problem && <p className={styles.small}>{o.problem}</p>}
    </div>
  );
}
