import { useInfiniteQuery } from "@tanstack/react-query";
import { Segmented } from "antd";
import { useState } from "react";
import { everyRequest, type RequestState } from "../../api/approvals";
import type { Called } from "../../api/inbox";
import { useTexts } from "../../i18n";
import { Text } from "../../inbox/asked";
import { Card, Page } from "../../ui/page";
import { When } from "../../ui/people";
import { Empty, Loaded, More } from "../../ui/states";
import styles from "../admin.module.css";
import { GlassSection } from "./Glass";

const states: RequestState[] = ["waiting", "granted", "refused", "withdrawn", "lapsed"];

/** ApprovalsPage is what people asked for, and what became of it. */
export default function ApprovalsPage() {
  const { t } = useTexts();
  const [state, setState] = useState<RequestState>("waiting");
  const query = useInfiniteQuery({
    queryKey: ["approvals", state],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => everyRequest({ state, cursor: pageParam }, signal),
    getNextPageParam: (page) => page.next,
    refetchInterval: 60_000,
  });
  return (
    <Page title={t.approvals.title} lead={t.approvals.lead} actions={<Segmented value={state} onChange={setState} options={states.map((s) => ({ value: s, label: t.approvals.state[s] }))} />}>
      <Loaded query={query}>
        {(data) => {
          const items = data.pages.flatMap((p) => p.items);
          const names: Called = Object.assign({}, ...data.pages.map((p) => p.names));
          return (
            <>
              <Card rows={items.length > 0}>
                {items.length === 0 ? (
                  <Empty title={t.approvals.nothing} />
                ) : (
                  items.map((r) => (
                    <div key={r.id} className={styles.line} style={{ flexWrap: "wrap" }} data-request={r.id}>
                      <Text asked={r} names={names} linked />
                      <When at={r.decided_at ?? r.asked_at} />
                    </div>
                  ))
                )}
              </Card>
              <More query={query} />
            </>
          );
        }}
      </Loaded>
      <GlassSection />
    </Page>
  );
}
