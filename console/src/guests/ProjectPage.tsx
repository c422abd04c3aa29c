import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Checkbox, Input, Modal } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { bulk, doors, inProject, type Guest } from "../api/guests";
import { groups, membershipsIn } from "../api/groups";
import type { Membership } from "../api/people";
import styles from "../admin/admin.module.css";
import { nameIn, useTexts, word } from "../i18n";
import { date, known } from "../i18n/time";
import { Nav } from "../inbox/Nav";
import { Frame } from "../ui/Frame";
import { Card, Page, Section } from "../ui/page";
import { Avatar, Tag } from "../ui/people";
import { Empty, Loaded } from "../ui/states";
import { CloseProject } from "./Closing";
import { Rows } from "./Rows";
import { Field, inDays, Left, Refused, StateTag, Until } from "./words";

/** ProjectPage is a project group for who owns it: everybody in it by company, role and end, and what can be done about several guests at a time. */
export default function ProjectPage({ id }: { id: string }) {
  const { t, locale } = useTexts();
  const all = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  const group = all.data?.items.find((g) => g.id === id);
  return (
    <Frame title={t.guests.mine} nav={<Nav />}>
      <Page
        title={group ? nameIn(locale, group.name, group.key) : t.guests.group}
        lead={t.guests.project}
        above={
          <Link className={styles.back} href="/guests">
            ‹ {t.guests.mine}
          </Link>
        }
      >
        <Outside group={id} />
        <Inside group={id} />
        <CloseProject group={id} />
      </Page>
    </Frame>
  );
}

function Outside({ group }: { group: string }) {
  const { t, locale } = useTexts();
  const list = useQuery({ queryKey: ["guests", "project", group], queryFn: ({ signal }) => inProject(group, signal) });
  const open = useQuery({ queryKey: ["guests", "doors", true], queryFn: ({ signal }) => doors(true, signal) });
  const [chosen, setChosen] = useState<string[]>([]);
  const [action, setAction] = useState<"extend" | "end" | "">("");
  return (
    <Loaded query={list}>
      {({ items }) => {
        const here = chosen.filter((c) => items.some((g) => g.id === c));
        const companies = [...new Set(items.map((g) => g.company))].sort();
        const toggle = (ids: string[], on: boolean) => setChosen(on ? [...new Set([...here, ...ids])] : here.filter((c) => !ids.includes(c)));
        return (
          <>
            {items.length === 0 && (
              <Card>
                <Empty title={t.guests.none} hint={t.guests.noneHint} />
              </Card>
            )}
            {items.length > 0 && (
              <div className={styles.summary} data-many>
                <span className={styles.summaryText} style={{ flexBasis: 120 }}>{here.length > 0 ? t.guests.selected(here.length) : t.guests.count(items.length)}</span>
                <Button disabled={here.length === 0} onClick={() => setAction("extend")} data-extend-many>
                  {t.guests.extendMany}
                </Button>
                <Button disabled={here.length === 0} danger onClick={() => setAction("end")} data-end-many>
                  {t.guests.endMany}
                </Button>
              </div>
            )}
            {companies.map((c) => {
              const theirs = items.filter((g) => g.company === c);
              const ids = theirs.map((g) => g.id);
              const on = ids.filter((i) => here.includes(i)).length;
              return (
                <Section key={c} title={nameIn(locale, open.data?.companies.find((o) => o.key === c)?.names, c)} hint={t.guests.count(theirs.length)} more={<Checkbox aria-label={c} checked={on === ids.length} indeterminate={on > 0 && on < ids.length} onChange={(e) => toggle(ids, e.target.checked)} />}>
                  <Card rows>
                    {theirs.map((g) => (
                      <Row key={g.id} guest={g} chosen={here.includes(g.id)} toggle={(v) => toggle([g.id], v)} />
                    ))}
                  </Card>
                </Section>
              );
            })}
            {action && <Many group={group} action={action} guests={here} close={() => setAction("")} />}
          </>
        );
      }}
    </Loaded>
  );
}

function Row({ guest: g, chosen, toggle }: { guest: Guest; chosen: boolean; toggle: (on: boolean) => void }) {
  const { t } = useTexts();
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-guest={g.id}>
      <Checkbox aria-label={g.name} checked={chosen} onChange={(e) => toggle(e.target.checked)} />
      <Avatar id={g.id} name={g.name} size={28} />
      <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 180 }}>
        <span className={styles.strong}>{g.name}</span> <span className={styles.small}>{g.email}</span>
        <div className={styles.small}>{[word(t.words.role, "vendor"), g.places.map((p) => `# ${p.channel}`).join(" "), `${t.guests.sponsor}: ${g.sponsor_name}`].join(" · ")}</div>
      </span>
      <StateTag guest={g} />
      <Left guest={g} />
    </div>
  );
}

/** Many extends or ends what several guests have here: it shows first what each gets, and does that very thing. */
function Many({ group, action, guests, close }: { group: string; action: "extend" | "end"; guests: string[]; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const [until, setUntil] = useState(() => inDays(90));
  const [reason, setReason] = useState("");
  const body = { action, guests, reason: reason.trim(), ...(action === "extend" && until && { until: new Date(until).toISOString() }) };
  const look = useMutation({ mutationFn: () => bulk(group, body) });
  const apply = useMutation({
    mutationFn: () => bulk(group, body, look.data && { at: look.data.at, basis: look.data.basis }),
    onSuccess: () => {
      void message.success(t.guests.applied);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["guests"] }),
  });
  const changed = (set: (v: string) => void) => (v: string) => {
    set(v);
    look.reset();
    apply.reset();
  };
  const changes = look.data?.rows.some((r) => r.op === "extend" || r.op === "end");
  return (
    <Modal
      open
      width={640}
      title={action === "extend" ? t.guests.extendTitle : t.guests.endManyTitle}
      onCancel={close}
      footer={
        <>
          <Button data-look-many type={look.data ? "default" : "primary"} disabled={!reason.trim()} loading={look.isPending} onClick={() => { apply.reset(); look.mutate(); }}>
            {t.guests.look}
          </Button>
          {look.data && (
            <Button type="primary" danger={action === "end"} data-apply-many disabled={!changes} loading={apply.isPending} onClick={() => apply.mutate()}>
              {t.guests.apply}
            </Button>
          )}
        </>
      }
    >
      {action === "end" ? (
        <p style={{ marginBottom: 14 }}>{t.guests.endManyText}</p>
      ) : (
        <Field label={t.guests.until}>
          <Until label={t.guests.until} value={until} onChange={changed(setUntil)} />
        </Field>
      )}
      <Field label={t.guests.reason}>
        <Input aria-label={t.guests.reason} value={reason} maxLength={500} onChange={(e) => changed(setReason)(e.target.value)} />
      </Field>
      <Refused error={look.error ?? apply.error} />
      {look.data && <Rows batch={look.data} />}
    </Modal>
  );
}

const rank: Record<string, number> = { owner: 0, participant: 1, collaborator: 2 };

/** Inside is who of the project group works here. */
function Inside({ group }: { group: string }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["memberships", "group", group], queryFn: ({ signal }) => membershipsIn(group, signal) });
  return (
    <Loaded query={query}>
      {(page) => {
        const list = page.items.filter((m) => m.role !== "vendor").sort((a, b) => (rank[a.role ?? ""] ?? 9) - (rank[b.role ?? ""] ?? 9));
        const idOf = (m: Membership) => (typeof m.person === "string" ? m.person : (m.person?.id ?? m.id));
        const nameOf = (m: Membership) => (typeof m.person === "string" ? m.person : m.person?.display_name) || idOf(m);
        return (
          <Section title={t.guests.inside} hint={t.words.people(list.length)}>
            <Card rows={list.length > 0}>
              {list.length === 0 && <Empty title={t.groups.noMembers} />}
              {list.slice(0, 100).map((m) => (
                <div key={m.id} className={styles.line}>
                  <Avatar id={idOf(m)} name={nameOf(m)} size={28} />
                  <span className={styles.lineText}>{nameOf(m)}</span>
                  {known(m.ends) && <span className={styles.small}>{t.words.until(date(m.ends, locale))}</span>}
                  <Tag>{word(t.words.role, m.role)}</Tag>
                </div>
              ))}
            </Card>
          </Section>
        );
      }}
    </Loaded>
  );
}
