import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, InputNumber, Select } from "antd";
import { useState, type ReactNode } from "react";
import { fields, saveColumns, type ColumnMapping, type Feed } from "../../../api/feed";
import { useTexts } from "../../../i18n";
import { Card, Section } from "../../../ui/page";
import { When } from "../../../ui/people";
import { useProblemText } from "../../../ui/states";
import { useFieldName } from "./Feed";
import styles from "../../admin.module.css";
import own from "./feed.module.css";

/** Columns is the saved mapping of columns: headings of one's own, and how dates and numbers are read. */
export function Columns({ source, feed: f }: { source: string; feed: Feed }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const nameOf = useFieldName();
  const queries = useQueryClient();
  const [rows, setRows] = useState(() => Object.entries(f.saved.columns ?? {}).map(([heading, field]) => ({ heading, field })));
  const [rest, setRest] = useState<ColumnMapping>(f.saved);
  const save = useMutation({
    mutationFn: () => saveColumns(source, { ...rest, columns: Object.fromEntries(rows.filter((r) => r.heading.trim() && r.field).map((r) => [r.heading.trim(), r.field])) }),
    onSuccess: () => void message.success(t.feed.saved),
    onSettled: () => queries.invalidateQueries({ queryKey: ["source", source, "feed"] }),
  });
  const put = (i: number, part: Partial<(typeof rows)[number]>) => setRows(rows.map((r, at) => (at === i ? { ...r, ...part } : r)));
  const options = [{ value: "-", label: t.feed.ignore }, ...fields.map((value) => ({ value: value as string, label: nameOf(value) }))];
  const optionsOf = (field: string) => (field && !options.some((o) => o.value === field) ? [...options, { value: field, label: nameOf(field) }] : options);
  return (
    <Section title={t.feed.columns} hint={t.feed.columnsHint} more={f.saved_at && <span>{t.feed.savedAt} <When at={f.saved_at} /></span>}>
      <Card rows>
        {rows.length === 0 && <div className={styles.muted}>{t.feed.noColumns}</div>}
        {rows.map((r, i) => (
          <div key={i} className={own.column}>
            <Input aria-label={t.feed.heading} placeholder={t.feed.heading} value={r.heading} maxLength={200} onChange={(e) => put(i, { heading: e.target.value })} />
            <Select<string> aria-label={t.feed.readAs} placeholder={t.feed.choose} showSearch={{ optionFilterProp: "label" }} value={r.field || undefined} onChange={(field) => put(i, { field })} options={optionsOf(r.field)} />
            <Button type="text" onClick={() => setRows(rows.filter((_, at) => at !== i))}>
              {t.feed.remove}
            </Button>
          </div>
        ))}
        <div>
          <Button onClick={() => setRows([...rows, { heading: "", field: "" }])}>{t.feed.addColumn}</Button>
        </div>
        <Setting name={t.feed.dateOrder}>
          <Select<string> value={rest.date_order ?? ""} onChange={(v) => setRest({ ...rest, date_order: v || undefined })} options={[{ value: "", label: t.feed.dateOrders.none }, { value: "dmy", label: t.feed.dateOrders.dmy }, { value: "mdy", label: t.feed.dateOrders.mdy }]} />
        </Setting>
        <Setting name={t.feed.numberLength} hint={t.feed.numberLengthHint}>
          <InputNumber min={-1} max={64} value={rest.number_length ?? 0} onChange={(v) => setRest({ ...rest, number_length: v ?? undefined })} />
        </Setting>
        <Setting name={t.feed.sheet} hint={t.feed.sheetHint}>
          <Input value={rest.sheet ?? ""} onChange={(e) => setRest({ ...rest, sheet: e.target.value || undefined })} />
        </Setting>
        <Setting name={t.feed.separator}>
          <Input value={rest.path_separator ?? ""} placeholder="/" maxLength={8} onChange={(e) => setRest({ ...rest, path_separator: e.target.value || undefined })} />
        </Setting>
        <Setting name={t.feed.zone}>
          <Input value={rest.time_zone ?? ""} placeholder={f.mapping.time_zone || "UTC"} onChange={(e) => setRest({ ...rest, time_zone: e.target.value.trim() || undefined })} />
        </Setting>
      </Card>
      {save.error && (
        <p className={styles.alertTitle} role="alert">
          {textOf(save.error)}
        </p>
      )}
      <div className={styles.buttons}>
        <Button loading={save.isPending} onClick={() => save.mutate()}>
          {t.feed.saveColumns}
        </Button>
      </div>
    </Section>
  );
}

function Setting({ name, hint, children }: { name: string; hint?: string; children: ReactNode }) {
  return (
    <label className={own.setting}>
      <span>{name}</span>
      {children}
      {hint && <span className={own.settingHint}>{hint}</span>}
    </label>
  );
}
