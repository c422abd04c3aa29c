import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { sources, type Source } from "../../api/sources";
import { useTexts, word } from "../../i18n";
import { Page } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Loaded, NotFound } from "../../ui/states";
import styles from "../admin.module.css";

/** SourcePage is one source: how it stands, how to connect it, its tokens, its last requests. Each part is a file beside this one. */
export default function SourcePage({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal) });
  const found = query.data?.items.find((s) => s.id === id);
  return (
    <Page title={found?.name ?? t.sources.title} above={<Back />} tags={found && <Tag>{word(t.words.source, found.kind)}</Tag>}>
      <Loaded query={query}>{() => (found ? <Parts source={found} /> : <NotFound />)}</Loaded>
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

/** Parts are the sections of the page, in the order somebody connecting a source needs them. */
function Parts({ source }: { source: Source }) {
  return <div data-source={source.id} />;
}
