import { useLayoutEffect, useRef, type ComponentProps } from "react";
import styles from "./ui.module.css";

/**
 * GrowingText is a text field as high as its text, within bounds. (Ant Design's own writes a style attribute to measure, which
 * the page's security policy forbids.)
 */
export function GrowingText({ rows = 1, most, className, ...rest }: ComponentProps<"textarea"> & { rows?: number; most: number }) {
  const own = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const el = own.current;
    if (!el) return;
    el.style.height = "auto";
    const line = Number.parseFloat(getComputedStyle(el).lineHeight) || 22;
    el.style.height = `${Math.min(el.scrollHeight + 2, Math.round(most * line))}px`;
  }, [rest.value, most, rows]);
  return <textarea {...rest} ref={own} rows={rows} className={`${styles.text} ${className ?? ""}`} />;
}
