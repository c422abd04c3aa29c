import { useMutation, useQuery } from "@tanstack/react-query";
import { Alert, AutoComplete, Button, Input, Select } from "antd";
import { useState } from "react";
import { units, type Unit } from "../../api/people";
import { sources } from "../../api/sources";
import { csvOf, kinds, planSuccessions, type SuccessionFile, type SuccessionRow } from "../../api/units";
import { nameIn, useTexts } from "../../i18n";
import { Section } from "../../ui/page";
import { Loading, useProblemText } from "../../ui/states";
import { Preview } from "./Preview";
import styles from "../admin.module.css";

const empty: SuccessionRow = { kind: "renumber", old: "", new: "" };

/** tomorrow answers the beginning of the next day, as a field of the page has it. */
function tomorrow(): string {
  const at = new Date();
  const day = new Date(at.getFullYear(), at.getMonth(), at.getDate() + 1);
  return new Date(day.getTime() - day.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Declare takes what units become, by hand or as a file, shows what that would do, and declares that very thing. */
export function Declare({ close }: { close: () => void }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const forest = useQuery({ queryKey: ["units"], queryFn: ({ signal }) => units(signal) });
  const known = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal) });
  const [chosen, setChosen] = useState("");
  const [at, setAt] = useState(tomorrow);
  const [rows, setRows] = useState<SuccessionRow[]>([empty]);
  const [reason, setReason] = useState("");
  const [given, setGiven] = useState<{ name: string; text: string }>();
  const planning = useMutation({ mutationFn: planSuccessions });
  if (forest.isPending || known.isPending) return <Loading />;
  const withUnits = (known.data?.items ?? []).filter((s) => s.name && (forest.data?.items ?? []).some((u) => u.source === s.id));
  const source = withUnits.find((s) => s.name === chosen) ?? withUnits[0];
  const changed = <A,>(set: (value: A) => void) => (value: A) => {
    set(value);
    planning.reset(); // a preview belongs to what it was made of
  };
  const whole = given ? given.text.trim() !== "" : rows.every((r) => r.old && r.new.trim());
  const file: SuccessionFile = { ...(given ?? { name: "units.csv", text: csvOf(rows.map((r) => ({ ...r, new: r.new.trim() }))) }), source: source?.name, ...(at && { effective: new Date(at).toISOString() }), ...(reason.trim() && { reason: reason.trim() }) };
  return (
    <>
      <p className={styles.muted}>{t.units.hint}</p>
      <div className={`${styles.filters} ${styles.gap}`}>
        <Select className={styles.select} value={source?.name} aria-label={t.units.source} onChange={changed(setChosen)} options={withUnits.map((s) => ({ value: s.name, label: s.name }))} />
        <Input type="datetime-local" style={{ width: 256 }} aria-label={t.units.from} title={t.units.from} value={at} onChange={(e) => changed(setAt)(e.target.value)} />
      </div>
      {given ? (
        <Input.TextArea className={styles.editor} rows={12} value={given.text} spellCheck={false} aria-label={given.name} onChange={(e) => changed(setGiven)({ ...given, text: e.target.value })} />
      ) : (
        <Rows rows={rows} change={changed(setRows)} units={(forest.data?.items ?? []).filter((u) => u.source === source?.id)} />
      )}
      <div className={styles.buttons}>
        <Input className={styles.search} maxLength={1000} value={reason} onChange={(e) => changed(setReason)(e.target.value)} placeholder={t.units.reason} aria-label={t.units.reason} />
        <Button type="primary" data-preview-units disabled={!whole || !source} loading={planning.isPending} onClick={() => planning.mutate(file)}>
          {t.units.preview}
        </Button>
        {given ? <Button onClick={() => changed(setGiven)(undefined)}>{t.units.byHand}</Button> : <FileButton take={changed(setGiven)} />}
        <Button type="text" onClick={close}>
          {t.shell.cancel}
        </Button>
      </div>
      {planning.error && <Alert className={styles.gap} type="error" showIcon title={textOf(planning.error)} />}
      {planning.data && (
        <Section title={t.units.result}>
          <Preview plan={planning.data} declared={close} />
        </Section>
      )}
    </>
  );
}

/** FileButton takes a file of the same form as the command line's. */
function FileButton({ take }: { take: (file: { name: string; text: string }) => void }) {
  const { t } = useTexts();
  const pick = () => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".csv,.yaml,.yml";
    input.onchange = () => {
      const file = input.files?.[0];
      if (file) void file.text().then((text) => take({ name: file.name, text }));
    };
    input.click();
  };
  return <Button onClick={pick}>{t.units.file}</Button>;
}

function Rows({ rows, change, units: all }: { rows: SuccessionRow[]; change: (rows: SuccessionRow[]) => void; units: Unit[] }) {
  const { t, locale } = useTexts();
  const options = all.flatMap((u) => (u.key ? [{ value: u.key, label: `${u.key} · ${nameIn(locale, u.names, u.name)}` }] : []));
  const set = (at: number, more: Partial<SuccessionRow>) => change(rows.map((r, i) => (i === at ? { ...r, ...more } : r)));
  const matches = (input: string, option?: { label: string }) => !!option && option.label.toLowerCase().includes(input.toLowerCase());
  return (
    <>
      {rows.map((r, i) => (
        <div key={i} className={styles.filters} data-row={i}>
          <Select className={styles.select} value={r.kind} aria-label={t.units.what} onChange={(kind) => set(i, { kind })} options={kinds.map((value) => ({ value, label: t.units.kind[value] }))} />
          <Select className={styles.search} value={r.old || undefined} placeholder={t.units.old} aria-label={t.units.old} onChange={(old: string) => set(i, { old })} showSearch={{ filterOption: matches }} options={options} />
          <AutoComplete className={styles.search} value={r.new} placeholder={t.units.new} aria-label={t.units.new} onChange={(next: string) => set(i, { new: next ?? "" })} showSearch={{ filterOption: matches }} options={options} />
          {rows.length > 1 && (
            <Button type="text" onClick={() => change(rows.filter((_, n) => n !== i))}>
              {t.units.drop}
            </Button>
          )}
        </div>
      ))}
      <Button type="dashed" onClick={() => change([...rows, { ...(rows.at(-1) ?? empty), new: "" }])}>
        {t.units.add}
      </Button>
    </>
  );
}
