import { Button } from "antd";
import { useEffect, useState, type ReactNode } from "react";
import { Problem } from "../api/client";
import { useTexts } from "../i18n";
import styles from "./ui.module.css";

/** Loading says nothing for a moment, so that what is fast does not flicker. */
export function Loading({ full }: { full?: boolean }) {
  const { t } = useTexts();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setShown(true), 250);
    return () => window.clearTimeout(timer);
  }, []);
  return (
    <div className={full ? styles.full : styles.state} role="status" aria-live="polite">
      {shown && <span className={styles.muted}>{t.shell.loading}</span>}
    </div>
  );
}

/** Empty says that there is nothing, and what that means. */
export function Empty({ title, hint, children, full, heading }: { title: string; hint?: string; children?: ReactNode; full?: boolean; heading?: boolean }) {
  return (
    <div className={full ? styles.full : styles.state}>
      {heading ? <h1 className={styles.stateTitle}>{title}</h1> : <p className={styles.stateTitle}>{title}</p>}
      {hint && <p className={styles.muted}>{hint}</p>}
      {children}
    </div>
  );
}

/** useProblemText answers what to say of an error: the server's own detail where there is one. */
export function useProblemText(): (error: unknown) => string {
  const { t, locale } = useTexts();
  return (error) => {
    if (!(error instanceof Problem)) return error instanceof Error ? error.message : String(error);
    if (error.code === "offline") return t.shell.offline;
    if (error.code === "unreadable") return t.shell.unexpected;
    if (error.code === "not_found" && locale !== "en") return t.shell.notThere;
    return error.detail || error.code;
  };
}

/** Failure shows an error in place of what could not be loaded. */
export function Failure({ error, retry, full }: { error: unknown; retry?: () => void; full?: boolean }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  return (
    <div className={full ? styles.full : styles.state} role="alert">
      <p className={styles.stateTitle}>{t.shell.failed}</p>
      <p className={styles.muted}>{textOf(error)}</p>
      {error instanceof Problem && error.problems.map((line) => <p key={line} className={styles.faint}>{line}</p>)}
      {error instanceof Problem && error.request && <p className={styles.faint}>{t.shell.request(error.request)}</p>}
      {retry && (
        <Button className={styles.stateAction} onClick={retry}>
          {t.shell.retry}
        </Button>
      )}
    </div>
  );
}

/** NotFound is the page of an address that leads nowhere. */
export function NotFound({ full }: { full?: boolean }) {
  const { t } = useTexts();
  return <Empty full={full} title={t.shell.notFound} hint={t.shell.notFoundHint} heading />;
}

type Query<T> = { data: T | undefined; error: unknown; isPending: boolean; refetch: () => unknown };

/** Loaded shows what a query brought, or that it is under way, or why not. */
export function Loaded<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />;
  return <Loading />;
}

type Pages = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };

/** More asks for the next page of a list, where there is one. */
export function More({ query, text }: { query: Pages; text?: string }) {
  const { t } = useTexts();
  if (!query.hasNextPage) return null;
  return (
    <div className={styles.more}>
      <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
        {text ?? t.shell.more}
      </Button>
    </div>
  );
}
