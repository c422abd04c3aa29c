import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "wouter";
import { plan } from "../../api/policies";
import { useTexts } from "../../i18n";
import { full, known } from "../../i18n/time";
import { Page } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Loaded } from "../../ui/states";
import { Name } from "../Name";
import { PlanResult } from "./PlanResult";
import styles from "../admin.module.css";

/** PlanPage is one plan, whoever made it. */
export default function PlanPage({ id }: { id: string }) {
  const { t, locale } = useTexts();
  const [, go] = useLocation();
  const query = useQuery({ queryKey: ["plan", id], queryFn: ({ signal }) => plan(id, {}, signal) });
  const p = query.data;
  return (
    <Page
      title={t.policies.result}
      tags={p?.state === "applied" && <Tag tone="good">{known(p.applied_at) ? t.policies.appliedAt(full(p.applied_at, locale)) : t.policies.applied}</Tag>}
      lead={
        p?.author && (
          <>
            <Name id={p.author} /> · <When at={p.created_at} />
          </>
        )
      }
      above={
        <Link className={styles.back} href="/admin/policies">
          ‹ {t.policies.back}
        </Link>
      }
    >
      <Loaded query={query}>{(found) => <PlanResult plan={found} applied={() => go("/admin/policies")} />}</Loaded>
    </Page>
  );
}
