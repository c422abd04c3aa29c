import { useQuery } from "@tanstack/react-query";
import { Table, type TableColumnsType } from "antd";
import { Link } from "wouter";
import { groups, membershipsIn, type GroupChannel } from "../../api/groups";
import type { Membership } from "../../api/people";
import { nameIn, useTexts, word } from "../../i18n";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Reasons, Tag, When, Who } from "../../ui/people";
import { Empty, Loaded, NotFound } from "../../ui/states";
import styles from "../admin.module.css";
import { BeginReview } from "../evidence/BeginReview";
import { OwnerPlans } from "./Plans";

const rank: Record<string, number> = { owner: 0, participant: 1, collaborator: 2, vendor: 3 };

/** GroupPage is one project group: its channels, and its members with their reasons. */
export default function GroupPage({ id }: { id: string }) {
  const { t, locale } = useTexts();
  const me = useMe();
  const all = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  const members = useQuery({ queryKey: ["memberships", "group", id], queryFn: ({ signal }) => membershipsIn(id, signal) });
  const group = all.data?.items.find((g) => g.id === id);
  return (
    <Page
      title={group ? nameIn(locale, group.name, group.key ?? id) : t.groups.title}
      lead={group?.key}
      actions={group && mayEverywhere(me, "reviews.write") ? <BeginReview group={id} name={nameIn(locale, group.name, group.key ?? id)} /> : undefined}
      above={
        <Link className={styles.back} href="/admin/groups">
          ‹ {t.groups.title}
        </Link>
      }
    >
      <Loaded query={all}>
        {() =>
          !group ? (
            <NotFound />
          ) : (
            <>
              <Section title={t.groups.channels}>
                <Card rows>
                  {(group.channels ?? []).map((c) => (
                    <ChannelRow key={c.id} channel={c} />
                  ))}
                </Card>
              </Section>
              {me.owns?.includes(id) && <OwnerPlans group={id} />}
              <Section title={t.groups.members} hint={members.data ? t.words.people(members.data.items.length) : undefined}>
                <Loaded query={members}>{(page) => <Members items={page.items} />}</Loaded>
              </Section>
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function ChannelRow({ channel: c }: { channel: GroupChannel }) {
  const { t, locale } = useTexts();
  const access = Object.entries(c.access ?? {})
    .sort(([a], [b]) => (rank[a] ?? 9) - (rank[b] ?? 9))
    .map(([role, what]) => `${word(t.words.role, role)} ${word(t.words.access, what)}`);
  return (
    <div className={styles.channelRow}>
      <span className={styles.strong}># {nameIn(locale, c.name, c.key ?? c.id)}</span>
      {(c.labels ?? []).map((l) => (
        <Tag key={l}>{l}</Tag>
      ))}
      <span className={styles.accessList}>{access.join(" · ")}</span>
      <Link href={`/admin/access?channel=${c.id}`}>{t.groups.whoSees}</Link>
    </div>
  );
}

function Members({ items }: { items: Membership[] }) {
  const { t } = useTexts();
  if (items.length === 0) return <Empty title={t.groups.noMembers} />;
  const columns: TableColumnsType<Membership> = [
    { title: t.groups.name, key: "name", render: (_, m) => <Who id={typeof m.person === "string" ? m.person : (m.person?.id ?? m.id)} name={typeof m.person === "string" ? m.person : m.person?.display_name} link /> },
    {
      title: t.groups.role,
      key: "role",
      render: (_, m) => (
        <>
          {word(t.words.role, m.role)} {m.suspended && <Tag tone="warn">{t.words.suspended}</Tag>} {m.held && <Tag tone="warn">{t.words.held}</Tag>}
        </>
      ),
    },
    { title: t.groups.why, key: "why", render: (_, m) => <Reasons reasons={m.reasons} />, responsive: ["sm"] },
    { title: t.groups.since, key: "since", render: (_, m) => <When at={m.since} day />, responsive: ["md"] },
  ];
  const sorted = [...items].sort((a, b) => (rank[a.role ?? ""] ?? 9) - (rank[b.role ?? ""] ?? 9));
  return <Table<Membership> rowKey="id" columns={columns} dataSource={sorted} pagination={{ pageSize: 50, hideOnSinglePage: true, showSizeChanger: false }} />;
}
