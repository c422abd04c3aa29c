import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { endsSoon, sources, type Source } from "../../api/sources";
import { useTexts, word } from "../../i18n";
import { Card, Page } from "../../ui/page";
import { Tag } from "../../ui/people";
import { Empty, Loaded } from "../../ui/states";
import { AddSource } from "./AddSource";
import { Fresh, Holds, isLate, LastRun, State, Trouble, useFreshLabel } from "./Health";
import styles from "../admin.module.css";
import own from "./health.module.css";

/** SourcesPage lists the systems that say who works here, and how each stands. */
export default function SourcesPage() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal), refetchInterval: 5_000 });
  return (
    <Page title={t.sources.title} lead={t.sources.lead} actions={<AddSource />}>
      <Loaded query={query}>
        {(page) => (
          <Card rows>
            {page.items.length === 0 && <Empty title={t.sources.none} hint={t.sources.noneHint} />}
            {[...page.items]
              .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))
              .map((s) => (
                <div key={s.id}>
                  <Row source={s} />
                </div>
              ))}
          </Card>
        )}
      </Loaded>
    </Page>
  );
}

function Row({ source: s }: { source: Source }) {
  const { t } = useTexts();
  const label = useFreshLabel();
  const h = s.health;
  return (
    <div className={own.source}>
      <div>
        <Link className={own.name} href={`/admin/sources/${s.id}`}>
          {s.name ?? s.id}
        </Link>
        <span className={own.more}>
          {word(t.words.source, s.kind)} · {t.sources.priority} {s.priority ?? "–"}
        </span>
        <div className={own.tags}>
          {s.mode && s.mode !== "live" && <Tag tone="warn">{word(t.source.mode, s.mode)}</Tag>}
          {s.advisory && <Tag>{t.sources.advisory}</Tag>}
          {(s.tokens ?? []).some((token) => endsSoon(token) !== undefined) && <Tag tone="warn">{t.sources.tokenEnds}</Tag>}
          {h && <Holds count={h.holds} />}
        </div>
      </div>
      {h && (
        <>
          <div>
            <State health={h} />
            <span className={own.more}>{s.kind === "guests" ? t.sources.guests : word(t.health.follows, h.follows)}</span>
          </div>
          <div>
            {s.kind !== "guests" && <Fresh at={h.verified_at} late={isLate(h)} label={label(h)} />}
            {(h.lag_ms ?? 0) > 0 && (
              <span className={own.more}>
                {t.health.lag} {t.health.span.ms(Math.round(h.lag_ms ?? 0))}
              </span>
            )}
          </div>
          <div>
            {h.follows === "push" ? null : (
              <>
                <span className={styles.small}>{t.health.lastRun}</span>
                <br />
                <LastRun run={h.last_run} files={h.follows === "files"} />
              </>
            )}
          </div>
          <Trouble health={h} />
        </>
      )}
    </div>
  );
}
