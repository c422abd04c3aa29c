import { useEffect, type ReactNode } from "react";
import { useTexts } from "../i18n";
import styles from "./ui.module.css";

/** Page is a page of the console: a title, one sentence, and room. */
export function Page({ title, lead, actions, tags, mark, children, above }: { title: string; mark?: ReactNode; lead?: ReactNode; actions?: ReactNode; tags?: ReactNode; above?: ReactNode; children: ReactNode }) {
  const { t } = useTexts();
  useEffect(() => {
    document.title = `${title} · ${t.shell.product}`;
  }, [title, t]);
  return (
    <div className={styles.page}>
      <div className={styles.pageInner}>
        {above}
        <header className={styles.head}>
          {mark}
          <div className={styles.headText}>
            <h1 className={styles.headTitle}>
              {title}
              {tags}
            </h1>
            {lead && <div className={styles.headLead}>{lead}</div>}
          </div>
          {actions}
        </header>
        {children}
      </div>
    </div>
  );
}

/** Section is a part of a page. */
export function Section({ title, hint, more, children }: { title: string; hint?: string; more?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.section}>
      <div className={styles.sectionHead}>
        <h2 className={styles.sectionTitle}>{title}</h2>
        {hint && <span className={styles.sectionHint}>{hint}</span>}
        {more && <span className={styles.sectionMore}>{more}</span>}
      </div>
      {children}
    </section>
  );
}

/** Card holds things that belong together; rows: one below the other with a line between. */
export function Card({ rows, children }: { rows?: boolean; children: ReactNode }) {
  return <div className={rows ? `${styles.card} ${styles.rows}` : styles.card}>{children}</div>;
}

/** Code is an identifier, as the machine writes it. */
export const Code = ({ children }: { children: ReactNode }) => <code className={styles.code}>{children}</code>;
