import { Button, Input } from "antd";
import { wrong, type Draft, type Field, type MappingInForce } from "../../../api/ldap";
import { useTexts, word } from "../../../i18n";
import { Card, Section } from "../../../ui/page";
import own from "./mapping.module.css";

/** Form is a mapping while it is edited. */
export function Form({ mapping, draft, change }: { mapping: MappingInForce; draft: Draft; change: (d: Draft) => void }) {
  const { t } = useTexts();
  const put = (field: string, list: string) => change({ ...draft, fields: { ...draft.fields, [field]: list } });
  const putLabel = (i: number, part: Partial<Draft["labels"][number]>) => change({ ...draft, labels: draft.labels.map((l, at) => (at === i ? { ...l, ...part } : l)) });
  return (
    <>
      <Section title={t.ldap.fields}>
        <p className={own.from} style={{ marginBottom: 10 }}>
          {t.ldap.fieldsHint}
        </p>
        <Card rows>
          {mapping.fields.map((f) => (
            <div key={f.field}>
              <One field={f} value={draft.fields[f.field] ?? ""} put={(list) => put(f.field, list)} />
            </div>
          ))}
        </Card>
      </Section>
      <Section title={t.ldap.labels} hint={t.ldap.labelsHint}>
        <Card rows>
          {draft.labels.map((l, i) => (
            <div key={i} className={own.label}>
              <Input aria-label={t.ldap.labelName} placeholder={t.ldap.labelName} value={l.label} maxLength={64} onChange={(e) => putLabel(i, { label: e.target.value })} />
              <Input className={own.name} aria-label={t.ldap.labelFrom} placeholder={t.ldap.labelFrom} value={l.from} status={wrong(l.from) ? "error" : undefined} onChange={(e) => putLabel(i, { from: e.target.value })} />
              <Button type="text" onClick={() => change({ ...draft, labels: draft.labels.filter((_, at) => at !== i) })}>
                {t.ldap.remove}
              </Button>
            </div>
          ))}
          <div>
            <Button onClick={() => change({ ...draft, labels: [...draft.labels, { label: "", from: "" }] })}>{t.ldap.addLabel}</Button>
          </div>
        </Card>
      </Section>
    </>
  );
}

function One({ field: f, value, put }: { field: Field; value: string; put: (list: string) => void }) {
  const { t } = useTexts();
  const id = `field-${f.field}`;
  const bad = wrong(value);
  const fallback = f.defaults.join(", ");
  return (
    <div className={own.field}>
      <label className={own.fieldName} htmlFor={id}>
        {word(t.ldap.field, f.field)}
      </label>
      <Input id={id} data-field={f.field} className={own.name} value={value} placeholder={fallback || t.ldap.nowhere} status={bad ? "error" : undefined} spellCheck={false} autoCapitalize="off" onChange={(e) => put(e.target.value)} />
      {bad ? (
        <span className={own.badNote} role="alert">
          {t.ldap.notAName(bad)}
        </span>
      ) : (
        value !== "" && <span className={own.note}>{t.ldap.byDefault(fallback)}</span>
      )}
    </div>
  );
}
