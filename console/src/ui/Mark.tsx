import styles from "./ui.module.css";

/** Mark is the product's sign. */
export function Mark({ size = 22, muted }: { size?: number; muted?: boolean }) {
  return (
    <svg className={muted ? styles.markMuted : styles.mark} width={size} height={size} viewBox="0 0 32 32" role="img" aria-label="Rollcall">
      <rect width="32" height="32" rx="8" fill="currentColor" />
      <path d={muted ? "M9 16h14" : "M9 17.2l4.4 4.4L23.5 11"} fill="none" className={styles.markStroke} strokeWidth="3.2" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
