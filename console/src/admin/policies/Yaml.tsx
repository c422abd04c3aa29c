import { Fragment } from "react";
import styles from "../admin.module.css";

/** Yaml shows a policy's text, with line numbers as in the messages about mistakes. */
export function Yaml({ text }: { text: string }) {
  return (
    <pre className={styles.yaml} tabIndex={0}>
      {text
        .replace(/\n$/, "")
        .split("\n")
        .map((line, i) => (
          <span key={i} className={styles.yamlLine}>
            <Coloured line={line} />
          </span>
        ))}
    </pre>
  );
}

function Coloured({ line }: { line: string }) {
  if (/^\s*#/.test(line)) return <span className={styles.yamlComment}>{line}</span>;
  const found = /^(\s*(?:- )?)([\w./-]+)(:(?:\s|$))(.*)$/.exec(line);
  if (!found) return <>{line}</>;
  const [, indent, key, colon, rest] = found;
  return (
    <Fragment>
      {indent}
      <span className={styles.yamlKey}>{key}</span>
      {colon}
      {rest}
    </Fragment>
  );
}
