import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { useState } from "react";
import { join, leave, myPlaces, myRequests, withdraw, type Place } from "../api/approvals";
import type { Called } from "../api/inbox";
import styles from "../admin/admin.module.css";
import { nameIn, useTexts, word } from "../i18n";
import { Text } from "../inbox/asked";
import { Nav } from "../inbox/Nav";
import { Frame } from "../ui/Frame";
import { Card, Page, Section } from "../ui/page";
import { Tag, When } from "../ui/people";
import { Empty, Loaded, useProblemText, More } from "../ui/states";
import { Ask } from "./Ask";

/** JoiningPage is what the reader may join, ask for and leave, and what they asked for. */
export default function JoiningPage() {
  const { t } = useTexts();
  return (
    <Frame title={t.approvals.groups} nav={<Nav />}>
      <Page title={t.approvals.groups} lead={t.approvals.groupsLead}>
        <Places />
        <Mine />
      </Page>
    </Frame>
  );
}

/** useDoing does something about a group or a request, and asks anew. */
function useDoing() {
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ act }: { act: () => Promise<unknown>; done: string }) => act(),
    onSuccess: (_, { done }) => void message.success(done),
    onError: (error) => void message.error(textOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["joining"] }),
  });
}

function Places() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["joining", "places"], queryFn: ({ signal }) => myPlaces(signal) });
  const [asking, setAsking] = useState<{ place: Place; kind: "join" | "elevation" } | null>(null);
  return (
    <Loaded query={query}>
      {({ items }) => (
        <>
          <Card rows={items.length > 0}>
            {items.length === 0 ? <Empty title={t.approvals.none} hint={t.approvals.noneHint} /> : items.map((p) => <Row key={p.id} place={p} ask={(kind) => setAsking({ place: p, kind })} />)}
          </Card>
          {asking && <Ask {...asking} close={() => setAsking(null)} />}
        </>
      )}
    </Loaded>
  );
}

function Row({ place: p, ask }: { place: Place; ask: (kind: "join" | "elevation") => void }) {
  const { t, locale } = useTexts();
  const { modal } = AntApp.useApp();
  const doing = useDoing();
  const name = nameIn(locale, p.names, p.key);
  const confirm = () =>
    modal.confirm({ title: t.approvals.leaveTitle(name), content: t.approvals.leaveText, okText: t.approvals.leave, okButtonProps: { danger: true }, cancelText: t.shell.cancel, onOk: () => doing.mutateAsync({ act: () => leave(p.id), done: t.approvals.left }).catch(() => {}) });
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-place={p.key}>
      <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
        <span className={styles.strong}>{name}</span> {p.has && <Tag>{word(t.words.role, p.has)}</Tag>}
        <div className={styles.small}>{p.apart ? t.approvals.apart : nameIn(locale, p.description)}</div>
      </span>
      {p.may.includes("join") && (
        <Button type="primary" disabled={doing.isPending} onClick={() => doing.mutate({ act: () => join(p.id), done: t.approvals.joined })}>
          {t.approvals.join}
        </Button>
      )}
      {p.may.includes("ask") && <Button onClick={() => ask("join")}>{t.approvals.ask}</Button>}
      {p.may.includes("elevate") && <Button onClick={() => ask("elevation")}>{t.approvals.elevate}</Button>}
      {p.may.includes("leave") && (
        <Button disabled={doing.isPending} onClick={confirm}>
          {t.approvals.leave}
        </Button>
      )}
    </div>
  );
}

function Mine() {
  const { t } = useTexts();
  const doing = useDoing();
  const query = useInfiniteQuery({
    queryKey: ["joining", "requests"],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => myRequests(pageParam, signal),
    getNextPageParam: (page) => page.next,
  });
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  if (items.length === 0) return null;
  const names: Called = Object.assign({}, ...(query.data?.pages.map((p) => p.names) ?? []));
  return (
    <div style={{ marginTop: 36 }}>
      <Section title={t.approvals.mine}>
        <Card rows>
          {items.map((r) => (
            <div key={r.id} className={styles.line} style={{ flexWrap: "wrap" }} data-request={r.id}>
              <Text asked={r} names={names} />
              <Tag>{word(t.approvals.state, r.state)}</Tag>
              <When at={r.asked_at} />
              {r.state === "waiting" && (
                <Button disabled={doing.isPending} onClick={() => doing.mutate({ act: () => withdraw(r.id), done: t.approvals.withdrawn })}>
                  {t.approvals.withdraw}
                </Button>
              )}
            </div>
          ))}
        </Card>
        <More query={query} />
      </Section>
    </div>
  );
}
