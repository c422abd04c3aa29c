import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { source, type SourceDetail } from "../../api/sources";
import { useTexts, word } from "../../i18n";
import { Page } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Loaded } from "../../ui/states";
import { Connection } from "./Connection";
import { Feed } from "./feed/Feed";
import { Standing } from "./Health";
import { Directory } from "./ldap/Directory";
import { Relink } from "./ldap/Relink";
import { Ignored, Overview } from "./Overview";
import { Preview } from "./Preview";
import { Requests } from "./Requests";
import { Runs } from "./Runs";
import { Tokens } from "./Tokens";
import styles from "../admin.module.css";

/** SourcePage is one source: how it stands, how to connect it, its tokens, its last requests. Each part is a file beside this one. */
export default function SourcePage({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["source", id], queryFn: ({ signal }) => source(id, signal), refetchInterval: 5_000 });
  const s = query.data;
  return (
    <Page title={s?.name ?? t.sources.title} above={<Back />} tags={s && <Tags source={s} />}>
      <Loaded query={query}>{(found) => <Parts source={found} />}</Loaded>
    </Page>
  );
}

function Back() {
  const { t } = useTexts();
  return (
    <Link className={styles.back} href="/admin/sources">
      ‹ {t.sources.title}
    </Link>
  );
}

function Tags({ source: s }: { source: SourceDetail }) {
  const { t } = useTexts();
  return (
    <>
      <Tag>{word(t.words.source, s.kind)}</Tag>
      {s.advisory && <Tag>{t.sources.advisory}</Tag>}
      {s.mode && s.mode !== "live" && <Tag tone="warn">{word(t.source.mode, s.mode)}</Tag>}
    </>
  );
}

/** Parts are the sections of the page, in the order somebody connecting a source needs them. */
function Parts({ source: s }: { source: SourceDetail }) {
  return (
    <>
      {s.kind !== "guests" && <Standing health={s.health} />}
      {s.kind === "hrfeed" && <Feed source={s} />}
      <Preview source={s} />
      {s.kind === "ldap" && s.health?.state !== "unconfigured" && s.health?.state !== "never" && <Relink source={s} />}
      {s.kind === "ldap" && <Directory source={s} />}
      {s.kind === "ldap" && <Runs source={s.id} />}
      <Overview source={s} />
      {s.kind === "scim" && <Connection source={s} />}
      {s.kind !== "ldap" && <Tokens source={s} />}
      {s.kind === "scim" && <Requests source={s} />}
      {s.kind === "scim" && <Ignored source={s} />}
    </>
  );
}
