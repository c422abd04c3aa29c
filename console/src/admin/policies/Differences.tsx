import type { Difference } from "../../api/policies";
import { useTexts, word } from "../../i18n";
import { Card, Code } from "../../ui/page";
import { Tag } from "../../ui/people";
import { useChannelNames, useGroupNames } from "../groups/names";
import { said } from "./words";
import styles from "../admin.module.css";

/** Differences lists what two policies say otherwise, and whether that loosens or tightens it. */
export function Differences({ items }: { items: Difference[] }) {
  return (
    <Card rows>
      {items.map((d) => (
        <Line key={`${d.kind}${d.name}`} difference={d} />
      ))}
    </Card>
  );
}

function Line({ difference: d }: { difference: Difference }) {
  const { t } = useTexts();
  const name = useName();
  return (
    <div data-difference>
      <Tag tone={d.op === "remove" ? "bad" : d.op === "add" ? "good" : "accent"}>{word(t.policies.diffOp, d.op)}</Tag> {word(t.policies.kind, d.kind)} {name(d)}
      {d.fields.map((f) => (
        <div key={f.field} className={styles.small} style={{ overflowWrap: "anywhere" }}>
          {word(t.policies.field, f.field)}: {f.before !== null && f.before !== undefined && <span className={styles.minus}>{said(f.before)}</span>} {f.before !== null && f.before !== undefined && f.after !== null && f.after !== undefined && "→"}{" "}
          {f.after !== null && f.after !== undefined && <span className={styles.plus}>{said(f.after)}</span>} {f.effect && <Tag tone={f.effect === "tightens" ? "good" : "warn"}>{word(t.policies.ease, f.effect)}</Tag>}
        </div>
      ))}
    </div>
  );
}

/** useName answers what a difference is about, by name where it has one. */
function useName(): (d: Difference) => React.ReactNode {
  const { t } = useTexts();
  const group = useGroupNames();
  const channel = useChannelNames();
  return (d) => {
    const [of = "", key = ""] = d.name.split("/");
    if (d.kind === "group") return group(of);
    if (d.kind === "channel") return `${group(of)} / # ${channel(of, key)}`;
    if (d.kind === "rule")
      return (
        <>
          {group(of)} / <Code>{key}</Code>
        </>
      );
    if (d.kind === "approval") return word(t.approvals.kind, d.name);
    return d.name === d.kind ? null : <Code>{d.name}</Code>;
  };
}
