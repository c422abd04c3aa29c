import { Button } from "antd";
import { wordsOf, type Version } from "../../../api/ldap";
import { useTexts, word } from "../../../i18n";
import { Card, Code, Section } from "../../../ui/page";
import { Tag, When } from "../../../ui/people";
import { Name } from "../../Name";
import styles from "../../admin.module.css";

/** Versions are the mappings that were put in force here; each can be brought back into the form. */
export function Versions({ versions, edit }: { versions: Version[]; edit: (v: Version) => void }) {
  const { t } = useTexts();
  if (versions.length === 0) return null;
  return (
    <Section title={t.ldap.versions} hint={t.ldap.versionsHint}>
      <Card rows>
        {versions.map((v, i) => (
          <div key={v.version} className={styles.line} style={{ flexWrap: "wrap" }}>
            <span className={styles.lineText} style={{ minWidth: 240 }}>
              <span className={styles.strong}>{t.ldap.version(v.version)}</span> {i === 0 && <Tag tone="good">{t.ldap.current}</Tag>}
              <div className={styles.small}>
                {v.file ? t.ldap.versionFile : wordsOf(v).length === 0 ? t.ldap.allDefaults : null}
                {wordsOf(v).map(([field, from], n) => (
                  <span key={field}>
                    {n > 0 && " · "}
                    {field.startsWith("label.") ? t.ldap.label(field.slice(6)) : word(t.ldap.field, field)} ← <Code>{from}</Code>
                  </span>
                ))}
              </div>
            </span>
            <span className={styles.small}>
              <Name id={v.actor} />
            </span>
            <When at={v.at} />
            {!v.file && (
              <Button size="small" onClick={() => edit(v)}>
                {t.ldap.edit}
              </Button>
            )}
          </div>
        ))}
      </Card>
    </Section>
  );
}
