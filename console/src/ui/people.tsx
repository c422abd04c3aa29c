import { Tooltip } from "antd";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Reason } from "../api/people";
import { nameIn, useTexts, word } from "../i18n";
import { ago, date, full, known } from "../i18n/time";
import { useMode } from "../theme/mode";
import { hue } from "../theme/tokens";
import { initials } from "./initials";
import styles from "./ui.module.css";

/** Avatar is a person's letters on a colour of their own. */
export function Avatar({ id, name, size = 32 }: { id: string; name: string; size?: number }) {
  const { mode } = useMode();
  const letters = initials(name);
  return (
    <span className={styles.avatar} aria-hidden style={{ ...hue(id, mode), width: size, height: size, fontSize: Math.round(size * (/\p{Script=Han}/u.test(letters) ? 0.34 : 0.38)) }}>
      {letters}
    </span>
  );
}

/** Who is a person in a list: letters, name, and a line below; link: to the page of the person, or to that one. */
export function Who({ id, name, note, link }: { id: string; name?: string; note?: ReactNode; link?: boolean | string }) {
  const shown = name || id;
  return (
    <span className={styles.who}>
      <Avatar id={id} name={shown} size={28} />
      <span className={styles.whoText}>
        <span className={styles.whoName}>{link ? <Link href={link === true ? `/admin/people/${id}` : link}>{shown}</Link> : shown}</span>
        {note && <div className={styles.whoNote}>{note}</div>}
      </span>
    </span>
  );
}

type Tone = "good" | "warn" | "bad" | "accent" | "quiet";

/** Tag is a state in a word. The colour only repeats what the word says. */
export function Tag({ tone = "quiet", children }: { tone?: Tone; children: ReactNode }) {
  const more = { good: styles.good, warn: styles.warn, bad: styles.bad, accent: styles.accent, quiet: "" }[tone];
  return <span className={`${styles.tag} ${more ?? ""}`}>{children}</span>;
}

const statusTone: Record<string, Tone> = { active: "good", pending: "accent", leave: "warn", notice: "warn", terminated: "quiet", anonymised: "quiet" };

/** StatusTags are a person's status and, apart from it, whether access is stopped. */
export function StatusTags({ status, frozen, absent }: { status?: string; frozen?: boolean; absent?: boolean }) {
  const { t } = useTexts();
  return (
    <span className={styles.who} style={{ gap: 6, flexWrap: "wrap" }}>
      {status && <Tag tone={statusTone[status]}>{word(t.words.status, status)}</Tag>}
      {frozen && <Tag tone="bad">{t.words.frozen}</Tag>}
      {absent && <Tag tone="warn">{t.words.absent}</Tag>}
    </span>
  );
}

/** When is an instant in words, exactly on hovering. */
export function When({ at, day, fallback = "–" }: { at?: string | null; day?: boolean; fallback?: string }) {
  const { locale } = useTexts();
  if (!known(at)) return <span className={styles.time}>{fallback}</span>;
  return (
    <Tooltip title={full(at, locale)}>
      <time className={styles.time} dateTime={at}>
        {day ? date(at, locale) : ago(at, locale)}
      </time>
    </Tooltip>
  );
}

/** useReasonText answers a reason in words: the server's, else ours from its kind. */
export function useReasonText(): (r: Reason) => string {
  const { t, locale } = useTexts();
  return (r) => {
    const ref = r.ref ?? "";
    if (r.kind === "rule" && ref) return t.words.reason.rule(ref, r.policy_version); // shorter than the server's sentence, which repeats the time
    const own = nameIn(locale, r.text);
    if (own) return own;
    switch (r.kind) {
      case "grant":
        return t.words.reason.grant(ref);
      case "approval":
        return t.words.reason.approval(ref);
      case "join":
        return t.words.reason.join();
      case "keep":
        return t.words.reason.keep();
    }
    return [r.kind, ref].filter(Boolean).join(" ");
  };
}

/** Reasons are why a membership stands, one line each. */
export function Reasons({ reasons }: { reasons?: Reason[] | null }) {
  const { t, locale } = useTexts();
  const textOf = useReasonText();
  return (
    <div className={styles.reasons}>
      {(reasons ?? []).map((r, i) => (
        <span key={i} className={styles.reason}>
          {textOf(r)}
          {known(r.until) && <span className={styles.time}> · {t.words.until(date(r.until, locale))}</span>}
        </span>
      ))}
    </div>
  );
}
