import { CheckCircleFilled, ClockCircleFilled, CloseCircleFilled, MinusCircleFilled } from "@ant-design/icons";
import { Tooltip } from "antd";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { secondsOf, span, type Health as How, type HealthState, type Run } from "../../api/health";
import { useTexts, word } from "../../i18n";
import { full, known } from "../../i18n/time";
import { Card, Section } from "../../ui/page";
import { Tag } from "../../ui/people";
import styles from "../admin.module.css";
import own from "./health.module.css";

const tones: Record<HealthState, "good" | "warn" | "bad" | "quiet"> = { ok: "good", failing: "bad", stale: "bad", quiet: "warn", empty: "bad", never: "quiet", unconfigured: "warn" };

/** State is how a source stands, in a word; the sign and its colour only repeat it. */
export function State({ health: h }: { health: How }) {
  const { t } = useTexts();
  const waits = h.state === "ok" && h.holds > 0;
  const tone = waits ? "warn" : (tones[h.state] ?? "quiet");
  const Icon = { good: CheckCircleFilled, warn: ClockCircleFilled, bad: CloseCircleFilled, quiet: MinusCircleFilled }[tone];
  return (
    <span className={`${own.state} ${own[tone] ?? ""}`}>
      <Icon aria-hidden />
      {waits ? t.health.waits : word(t.health.state, h.state)}
    </span>
  );
}

/** useNow answers the time, anew each second. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

/** Fresh is the freshness clock: for how long what stands here has not been verified. It runs while it is looked at. */
export function Fresh({ at, late, label }: { at?: string; late?: boolean; label: string }) {
  const { t, locale } = useTexts();
  const now = useNow();
  if (!known(at)) return <span className={styles.muted}>{`${label}: ${t.health.notYet}`}</span>;
  const s = span(now - Date.parse(at));
  return (
    <Tooltip title={full(at, locale)}>
      <time dateTime={at} className={late ? own.late : undefined}>
        {label} <span className={own.clock}>{t.health.ago[s.unit](s.value)}</span>
      </time>
    </Tooltip>
  );
}

/** freshLabel is what the clock of a source counts from. */
export function useFreshLabel(): (h: How) => string {
  const { t } = useTexts();
  return (h) => (h.follows === "push" ? t.health.heard : h.follows === "files" ? t.health.taken : t.health.verified);
}

/** isLate tells whether the clock has run for too long. */
export const isLate = (h: How) => h.state === "stale" || h.state === "failing";

/** Took is a length of time. */
export function Took({ ms }: { ms: number }) {
  const { t } = useTexts();
  const s = span(ms);
  return <span className={own.clock}>{t.health.span[s.unit](s.value)}</span>;
}

/** Trouble says what keeps a source from being read, and what to do. The server's own words stand behind it. */
export function Trouble({ health: h }: { health: How }) {
  const { t } = useTexts();
  if (!h.error) return null;
  const texts: Record<string, { what: string; todo: string }> = t.health.error;
  const say = texts[h.error.code] ?? t.health.error.other;
  return (
    <div className={own.trouble} role="alert">
      <div>
        <span className={own.what}>{say.what}</span> {h.error.failures > 1 && <span className={styles.small}>{t.health.failures(h.error.failures)}</span>}
      </div>
      <div>{say.todo}</div>
      <details>
        <summary className={styles.small}>{t.health.detail}</summary>
        <code className={own.words}>{h.error.code === "file" ? word(t.feed.problem, h.error.text) : h.error.text}</code>
      </details>
    </div>
  );
}

/** useCounts writes what a run counted. */
export function useCounts(): (counts: Record<string, number> | undefined) => string {
  const { t } = useTexts();
  return (counts) =>
    Object.entries(counts ?? {})
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${n} ${word(n === 1 && name in t.health.one ? t.health.one : t.health.count, name)}`)
      .join(" · ");
}

/** LastRun is a run in one line. */
export function LastRun({ run, files }: { run?: Run; files?: boolean }) {
  const { t } = useTexts();
  const counts = useCounts();
  if (!run) return <span className={styles.muted}>{t.health.noRun}</span>;
  const took = secondsOf(run);
  const s = span(Date.now() - Date.parse(run.started_at));
  return (
    <span>
      {word(files ? t.health.fileKind : t.health.kind, run.kind)}, {t.health.ago[s.unit](s.value)} {!run.ok && <Tag tone="bad">{t.health.failed}</Tag>}
      <span className={own.more}>
        {counts(run.counts) || t.health.nothingWritten}
        {took !== undefined && <> · <Took ms={took * 1000} /></>}
      </span>
    </span>
  );
}

/** Holds leads to the batches of a source that wait for somebody. */
export function Holds({ count }: { count: number }) {
  const { t } = useTexts();
  if (count === 0) return null;
  return (
    <Link href="/admin/holds">
      <Tag tone="warn">{t.health.waiting(count)}</Tag>
    </Link>
  );
}

/** Standing is the part of a source's page that says how it stands. */
export function Standing({ health: h }: { health?: How }) {
  const { t } = useTexts();
  const label = useFreshLabel();
  if (!h) return null;
  return (
    <Section title={t.health.title} more={<Holds count={h.holds} />}>
      <Card>
        <div className={own.standing}>
          <div>
            <State health={h} />
            <span className={own.more}>{h.state === "ok" && h.holds > 0 ? t.health.waitsHint : word(t.health.stateHint, h.state)}</span>
          </div>
          <div>
            <Fresh at={h.verified_at} late={isLate(h)} label={label(h)} />
            <span className={own.more}>
              {word(t.health.follows, h.follows)}
              {(h.lag_ms ?? 0) > 0 && <> · {t.health.lag} <Took ms={h.lag_ms ?? 0} /></>}
            </span>
          </div>
          <div>
            <span className={styles.small}>{t.health.lastRun}</span>
            <br />
            <LastRun run={h.last_run} files={h.follows === "files"} />
          </div>
        </div>
        <Trouble health={h} />
      </Card>
    </Section>
  );
}
