import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import { Link } from "wouter";
import { inbox, readNotice, readUpTo, type Called, type Notice } from "../api/inbox";
import styles from "../admin/admin.module.css";
import { useTexts } from "../i18n";
import { useMe } from "../session/session";
import { Frame } from "../ui/Frame";
import { Card, Page } from "../ui/page";
import { When } from "../ui/people";
import { Empty, Loaded, useProblemText, More } from "../ui/states";
import { Deciding } from "./Deciding";
import { Mine } from "./Mine";
import { Nav } from "./Nav";
import { Reviewing } from "./Reviewing";
import { noticeText, whereTo } from "./words";

/** InboxPage is what somebody is told, and what they are asked to take over. */
export default function InboxPage() {
  const { t } = useTexts();
  return (
    <Frame title={t.inbox.title} nav={<Nav />}>
      <Notices />
    </Frame>
  );
}

/** useRead says to the server that something was read, and asks anew. */
function useRead<T>(send: (what: T) => Promise<unknown>) {
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  return useMutation({ mutationFn: send, onSuccess: () => queries.invalidateQueries({ queryKey: ["inbox"] }), onError: (error) => void message.error(textOf(error)) });
}

function Notices() {
  const { t } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ["inbox", "list"],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => inbox({ limit: 50, cursor: pageParam }, signal),
    getNextPageParam: (page) => page.next,
    refetchInterval: 60_000,
  });
  const all = useRead(readUpTo);
  const first = query.data?.pages[0];
  const newest = first?.items[0]?.at;
  return (
    <Page
      title={t.inbox.title}
      lead={first?.unread ? t.inbox.unread(first.unread) : t.inbox.lead}
      actions={
        newest && first.unread > 0 ? (
          <Button data-read-all loading={all.isPending} onClick={() => all.mutate(newest)}>
            {t.inbox.readAll}
          </Button>
        ) : undefined
      }
    >
      <Deciding />
      <Reviewing />
      <Mine />
      <Loaded query={query}>
        {(data) => {
          const items = data.pages.flatMap((p) => p.items);
          const names: Called = Object.assign({}, ...data.pages.map((p) => p.names));
          return (
            <>
              {items.length === 0 ? (
                <Card>
                  <Empty title={t.inbox.none} hint={t.inbox.noneHint} />
                </Card>
              ) : (
                <Card rows>
                  {items.map((n) => (
                    <Line key={n.id} notice={n} names={names} />
                  ))}
                </Card>
              )}
              <More query={query} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Line({ notice: n, names }: { notice: Notice; names: Called }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const one = useRead(readNotice);
  const to = whereTo(me, n);
  const text = noticeText(t, locale, n, names);
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-notice={n.kind}>
      <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 220 }}>
        {n.read_at ? text : <strong>{text}</strong>}
      </span>
      <When at={n.at} />
      {to && (
        <Link href={to} onClick={() => n.read_at || one.mutate(n.id)}>
          {t.inbox.open}
        </Link>
      )}
      {!n.read_at && (
        <Button size="small" loading={one.isPending} onClick={() => one.mutate(n.id)}>
          {t.inbox.read}
        </Button>
      )}
    </div>
  );
}
