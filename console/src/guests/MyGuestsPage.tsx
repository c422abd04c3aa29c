import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { doors, end, myGuests, type Doors, type Guest } from "../api/guests";
import styles from "../admin/admin.module.css";
import { nameIn, useTexts } from "../i18n";
import { Deciding } from "../inbox/Deciding";
import { Nav } from "../inbox/Nav";
import { Frame } from "../ui/Frame";
import { Card, Page, Section } from "../ui/page";
import { Avatar } from "../ui/people";
import { Empty, Loaded } from "../ui/states";
import { useGuestChange } from "./change";
import { ClosedProjects } from "./Closing";
import { ImportFile } from "./ImportFile";
import { Invite } from "./Invite";
import { Renew } from "./Renew";
import { WayIn } from "./WayIn";
import { Left, StateTag, Sure } from "./words";

/** MyGuestsPage is for who answers for guests: whom they let in, for how long still, what waits for them, and the way to let in others. */
export default function MyGuestsPage() {
  const { t } = useTexts();
  return (
    <Frame title={t.guests.mine} nav={<Nav />}>
      <Guests />
    </Frame>
  );
}

function Guests() {
  const { t } = useTexts();
  const [query, setQuery] = useSearchParams();
  const list = useQuery({ queryKey: ["guests", "mine"], queryFn: ({ signal }) => myGuests(signal), refetchInterval: 60_000 });
  const open = useQuery({ queryKey: ["guests", "doors", true], queryFn: ({ signal }) => doors(true, signal) });
  const [dialog, setDialog] = useState<"invite" | "file" | "">(query.get("invite") === "1" ? "invite" : "");
  const [ever, setEver] = useState(false);
  const sponsors = (open.data?.groups.length ?? 0) > 0;
  const close = () => {
    setDialog("");
    setQuery({}, { replace: true });
  };
  return (
    <Page
      title={t.guests.mine}
      lead={t.guests.mineLead}
      actions={
        sponsors ? (
          <span className={styles.buttons} style={{ marginTop: 0 }}>
            <Button data-import onClick={() => setDialog("file")}>{t.guests.file}</Button>
            <Button type="primary" data-invite onClick={() => setDialog("invite")}>
              {t.guests.inviteVendor}
            </Button>
          </span>
        ) : undefined
      }
    >
      <Deciding kind="guest" />
      <Loaded query={list}>
        {({ items }) => {
          const shown = items.filter((g) => ever || g.state !== "over");
          return (
            <>
              <Card rows={shown.length > 0}>
                {shown.length === 0 ? <Empty title={t.guests.noneMine} hint={open.data && !sponsors ? t.guests.notSponsor : t.guests.noneMineHint} /> : shown.map((g) => <Row key={g.id} guest={g} open={open.data} />)}
              </Card>
              {!ever && shown.length < items.length && (
                <div className={styles.buttons}>
                  <Button type="text" onClick={() => setEver(true)}>
                    {t.guests.which.ever}
                  </Button>
                </div>
              )}
            </>
          );
        }}
      </Loaded>
      {open.data && <Projects open={open.data} />}
      <ClosedProjects />
      {dialog === "invite" && <Invite mine group={query.get("group") ?? undefined} channel={query.get("channel") ?? undefined} close={close} />}
      {dialog === "file" && <ImportFile mine close={close} />}
    </Page>
  );
}

/** usePlaces answers in words which channels a guest has. */
function usePlaces(open: Doors | undefined): (g: Guest) => string {
  const { t, locale } = useTexts();
  return (g) => {
    const byGroup = new Map<string, string[]>();
    for (const p of g.places) {
      const group = open?.groups.find((d) => d.group === p.group);
      const name = group ? nameIn(locale, group.names, group.key) : "";
      const channel = nameIn(locale, group?.channels.find((c) => c.key === p.channel)?.names, p.channel);
      byGroup.set(name, [...(byGroup.get(name) ?? []), `# ${channel}`]);
    }
    return [...byGroup].map(([group, channels]) => (group ? t.guests.into(channels.join(" "), group) : channels.join(" "))).join(" · ");
  };
}

function Row({ guest: g, open }: { guest: Guest; open?: Doors }) {
  const { t, locale } = useTexts();
  const places = usePlaces(open);
  const { change } = useGuestChange();
  const [dialog, setDialog] = useState<"renew" | "way" | "end" | "">("");
  const company = nameIn(locale, open?.companies.find((c) => c.key === g.company)?.names, g.company);
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }} data-guest={g.id}>
      <Avatar id={g.id} name={g.name} size={28} />
      <span className={styles.lineText} style={{ whiteSpace: "normal", minWidth: 200 }}>
        <span className={styles.strong}>{g.name}</span> <span className={styles.small}>{[company, g.email].join(" · ")}</span>
        <div className={styles.small}>{places(g)}</div>
      </span>
      <span className={styles.buttons} style={{ marginTop: 0, alignItems: "center" }}>
        <StateTag guest={g} />
        <Left guest={g} />
        {(g.state === "running" || g.state === "suspended") && (
          <>
            {g.state === "running" && <Button onClick={() => setDialog("way")}>{t.guests.wayIn}</Button>}
            <Button onClick={() => setDialog("renew")}>{t.guests.renew}</Button>
            <Button onClick={() => setDialog("end")}>{t.guests.end}</Button>
          </>
        )}
      </span>
      {dialog === "way" && <WayIn mine guest={g} close={() => setDialog("")} />}
      {dialog === "renew" && <Renew mine guest={g} close={() => setDialog("")} />}
      {dialog === "end" && <Sure danger title={t.guests.endTitle(g.name)} text={t.guests.endText} act={t.guests.end} run={(reason) => change(end(true, g.id, reason), t.guests.ended)} close={() => setDialog("")} />}
    </div>
  );
}

function Projects({ open }: { open: Doors }) {
  const { t, locale } = useTexts();
  if (open.groups.length === 0) return null;
  return (
    <Section title={t.guests.projects} hint={t.guests.projectsHint}>
      <div className={styles.chips}>
        {open.groups.map((g) => (
          <Link key={g.group} className={styles.chip} href={`/guests/projects/${g.group}`}>
            {nameIn(locale, g.names, g.key)}
          </Link>
        ))}
      </div>
    </Section>
  );
}
