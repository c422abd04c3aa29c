import type { ReactNode } from "react";
import { Preferences } from "../ui/Preferences";
import { Mark } from "../ui/Mark";
import styles from "./Outside.module.css";

/** Outside is the frame of the pages before and after a session. */
export function Outside({ title, lead, hint, tone, children }: { title: string; lead: string; hint?: string; tone?: "bad"; children: ReactNode }) {
  return (
    <main className={styles.page}>
      <section className={styles.card}>
        <Mark size={40} muted={tone === "bad"} />
        <h1 className={styles.title}>{title}</h1>
        <p className={styles.lead}>{lead}</p>
        {hint && <p className={styles.lead}>{hint}</p>}
        <div className={styles.actions}>{children}</div>
      </section>
      <footer className={styles.footer}>
        <Preferences />
      </footer>
    </main>
  );
}
