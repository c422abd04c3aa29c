import { Input } from "antd";
import { useTexts } from "../../i18n";

/** localOf answers an instant as the field takes it: the reader's wall clock, to the second. */
function localOf(at: string): string {
  const d = new Date(at);
  if (at === "" || Number.isNaN(d.getTime())) return "";
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** ChooseInstant picks an instant, past or to come; empty: now. */
export function ChooseInstant({ value, onChange }: { value: string; onChange: (at: string) => void }) {
  const { t } = useTexts();
  return <Input type="datetime-local" step={1} style={{ width: 256 }} allowClear defaultValue={localOf(value)} aria-label={t.access.at} title={t.access.at} onChange={(e) => onChange(e.target.value ? new Date(e.target.value).toISOString() : "")} />;
}
