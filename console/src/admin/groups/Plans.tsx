import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Button, Modal } from "antd";
import { useState } from "react";
import { ownedChanges, ownedPlans, type OwnedPlan } from "../../api/groups";
import { useTexts, word } from "../../i18n";
import { full, known } from "../../i18n/time";
import { Card, Section } from "../../ui/page";
import { Loaded, More } from "../../ui/states";
import styles from "../admin.module.css";

/** OwnerPlans is what plans that are not in force would do to a group that the reader owns; nothing where there is none. */
export function OwnerPlans({ group }: { group: string }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["owned-plans"], queryFn: ({ signal }) => ownedPlans(signal), refetchInterval: 60_000 });
  const [open, setOpen] = useState<OwnedPlan | null>(null);
  const mine = (query.data?.items ?? []).filter((p) => p.groups.some((g) => g.group === group));
  if (mine.length === 0) return null;
  return (
    <Section title={t.groups.plans} hint={t.groups.plansHint}>
      <Card rows>
        {mine.map((p) => {
          const part = p.groups.find((g) => g.group === group);
          return (
            <div key={p.id} className={styles.line} style={{ flexWrap: "wrap" }} data-owned-plan={p.id}>
              <span className={styles.lineText}>
                <span className={styles.strong}>{part && t.groups.planCounts(part.added, part.removed, part.changed)}</span>
                <div className={styles.small}>
                  {[p.author.display_name, full(p.created_at, locale), known(p.at) ? t.groups.planAt(full(p.at, locale)) : t.groups.planOpen].filter(Boolean).join(" · ")}
                </div>
              </span>
              <Button onClick={() => setOpen(p)}>{t.groups.planShow}</Button>
            </div>
          );
        })}
      </Card>
      {open && <Changes plan={open} group={group} close={() => setOpen(null)} />}
    </Section>
  );
}

function Changes({ plan, group, close }: { plan: OwnedPlan; group: string; close: () => void }) {
  const { t } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ["owned-plans", plan.id, group],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => ownedChanges(plan.id, { group, cursor: pageParam }, signal),
    getNextPageParam: (page) => page.next,
  });
  return (
    <Modal open title={t.groups.plans} footer={null} onCancel={close}>
      <Loaded query={query}>
        {(data) => (
          <>
            {data.pages.flatMap((page) => page.items).map((c) => (
              <div key={c.person.id} className={styles.line}>
                <span className={styles.lineText}>
                  <span className={styles.strong}>{c.person.display_name || c.person.id}</span>{" "}
                  <span className={styles.small}>
                    {word(t.policies.op, c.op)} · {[c.before, c.role].filter(Boolean).map((r) => word(t.words.role, r)).join(" → ")} · {word(t.policies.ground, c.ground)}
                  </span>
                </span>
              </div>
            ))}
            <More query={query} />
          </>
        )}
      </Loaded>
    </Modal>
  );
}
