import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { groups } from "../../api/groups";
import { nameIn, useTexts } from "../../i18n";
import { Card, Code, Page } from "../../ui/page";
import { Empty, Loaded } from "../../ui/states";
import styles from "../admin.module.css";

/** GroupsPage shows the project groups. */
export default function GroupsPage() {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  return (
    <Page title={t.groups.title} lead={t.groups.lead}>
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty title={t.groups.none} hint={t.groups.noneHint} />
          ) : (
            <div className={styles.grid}>
              {page.items.map((g) => (
                <Card key={g.id}>
                  <Link className={styles.groupCard} href={`/admin/groups/${g.id}`}>
                    <div className={styles.line}>
                      <span className={`${styles.lineText} ${styles.groupName}`}>{nameIn(locale, g.name, g.key ?? g.id)}</span>
                      {g.members !== undefined && <span className={styles.small}>{t.words.people(g.members)}</span>}
                    </div>
                    <Code>{g.key}</Code>
                    <div className={styles.chips} style={{ marginTop: 12 }}>
                      {(g.channels ?? []).map((c) => (
                        <span key={c.id} className={styles.chip}>
                          # {nameIn(locale, c.name, c.key ?? c.id)}
                        </span>
                      ))}
                    </div>
                  </Link>
                </Card>
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}
