import { useQuery } from "@tanstack/react-query";
import { unjudged, unjudgedOf, type Unjudged } from "../../api/people";
import { useTexts } from "../../i18n";
import { Card, Code, Section } from "../../ui/page";
import { When, Who } from "../../ui/people";
import styles from "../admin.module.css";

/** UnjudgedOf says which rules could not be judged for a person; nothing where there are none. */
export function UnjudgedOf({ id }: { id: string }) {
  const query = useQuery({ queryKey: ["unjudged", id], queryFn: ({ signal }) => unjudgedOf(id, signal) });
  return <Rules items={query.data?.items ?? []} />;
}

/** AllUnjudged lists everybody for whom a rule could not be judged; nothing where there is nobody. */
export function AllUnjudged() {
  const query = useQuery({ queryKey: ["unjudged"], queryFn: ({ signal }) => unjudged(signal) });
  return <Rules items={query.data?.items ?? []} named />;
}

function Rules({ items, named }: { items: Unjudged[]; named?: boolean }) {
  const { t } = useTexts();
  if (items.length === 0) return null;
  return (
    <Section title={t.people.unjudged} hint={t.people.unjudgedHint}>
      <Card rows>
        {items.map((u) => (
          <div key={u.person.id} className={styles.line} style={{ flexWrap: "wrap" }}>
            {named && <Who id={u.person.id} name={u.person.display_name} link />}
            <span className={styles.lineText} style={{ whiteSpace: "normal" }}>
              <Code>{u.rules.join(", ")}</Code>
              {u.error && <div className={styles.small}>{u.error}</div>}
            </span>
            <When at={u.since} />
          </div>
        ))}
      </Card>
    </Section>
  );
}
