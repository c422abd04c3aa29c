import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Segmented } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { people } from "../../api/people";
import { byMany, workItemGroups, workItems, type WorkItem } from "../../api/workitems";
import { useTexts, word } from "../../i18n";
import { Card, Page, Section } from "../../ui/page";
import { Tag, When, Who } from "../../ui/people";
import { Empty, Loaded, More } from "../../ui/states";
import { AllUnjudged } from "../people/Unjudged";
import { BulkButton } from "./Bulk";
import admin from "../admin.module.css";
import styles from "./workitems.module.css";

/** WorkItemsPage lists people who may be one person: first by how they came, then each pair. */
export default function WorkItemsPage() {
  const { t } = useTexts();
  const [state, setState] = useState("open");
  const groups = useQuery({ queryKey: ["workitems", "groups"], queryFn: ({ signal }) => workItemGroups(signal) });
  const many = (groups.data?.groups ?? []).filter((g) => g.count > 1 && g.source);
  return (
    <Page title={t.review.title} lead={t.review.lead}>
      {many.length > 0 && (
        <Section title={t.review.groups} hint={t.review.groupsHint}>
          <Card rows>
            {many.map((g) => (
              <div key={`${g.source?.id}${g.kind}${g.hint}`} className={admin.line}>
                <span className={admin.lineText}>
                  <span className={admin.strong}>{g.source?.name}</span> · {t.review.sameHint(word(t.review.hint, g.hint))}
                </span>
                <Tag tone="warn">{t.review.pairs(g.count)}</Tag>
                {byMany(g.hint) && g.source && <BulkButton source={g.source} hint={g.hint} />}
              </div>
            ))}
          </Card>
        </Section>
      )}
      <Conflicts />
      <AllUnjudged />
      <Section title={t.review.each} more={<Segmented value={state} onChange={setState} options={["open", "linked", "separated", "vanished"].map((value) => ({ value, label: word(t.review.state, value) }))} />}>
        <Pairs state={state} />
      </Section>
    </Page>
  );
}

/** Conflicts lists those of whom a source says that they work here although they were terminated at once; nothing where there are none. */
function Conflicts() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["people", "contested", "all"], queryFn: ({ signal }) => people({ contested: "true", limit: 200 }, signal) });
  const list = query.data?.items ?? [];
  if (list.length === 0) return null;
  return (
    <Section title={t.review.conflicts} hint={t.review.conflictsHint}>
      <Card rows>
        {list.map((p) => (
          <div key={p.id} className={admin.line}>
            <span className={admin.lineText}>
              <Link href={`/admin/people/${p.id}`}>{t.people.homeContested(p.display_name || p.id)}</Link>
            </span>
          </div>
        ))}
      </Card>
    </Section>
  );
}

function Pairs({ state }: { state: string }) {
  const { t } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ["workitems", "list", state],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => workItems({ state, limit: 50, cursor: pageParam }, signal),
    getNextPageParam: (page) => page.next,
  });
  return (
    <Loaded query={query}>
      {(data) => {
        const items = data.pages.flatMap((p) => p.items);
        if (items.length === 0)
          return (
            <Card>
              <Empty title={state === "open" ? t.review.none : t.words.none} hint={state === "open" ? t.review.noneHint : undefined} />
            </Card>
          );
        return (
          <>
            <Card rows>
              {items.map((item) => (
                <Pair key={item.id} item={item} />
              ))}
            </Card>
            <More query={query} />
          </>
        );
      }}
    </Loaded>
  );
}

/** Pair is one question in a list. */
export function Pair({ item: i }: { item: WorkItem }) {
  const { t } = useTexts();
  return (
    <div>
      <div className={admin.line} style={{ flexWrap: "wrap" }}>
        <span className={styles.pair}>
          <Who id={i.older.id} name={i.older.display_name} note={t.review.older} link />
          <Who id={i.newer.id} name={i.newer.display_name} note={i.source?.name ? t.review.newerBy(i.source.name) : t.review.newer} link />
        </span>
        <span className={admin.chips}>
          {(i.quarantined ?? []).map((p) => (
            <Tag key={p} tone="bad">
              {t.review.inQuarantine((p === i.newer.id ? i.newer.display_name : i.older.display_name) || p)}
            </Tag>
          ))}
          {i.hints.map((h) => (
            <Tag key={h}>{word(t.review.hint, h)}</Tag>
          ))}
        </span>
        <When at={i.closed_at ?? i.created_at} />
        <Link href={`/admin/work-items/${i.id}`}>{i.state === "open" || i.state === "vanished" ? t.review.compare : t.review.look}</Link>
      </div>
    </div>
  );
}
