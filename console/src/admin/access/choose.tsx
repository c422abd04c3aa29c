import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Select } from "antd";
import { useEffect, useMemo, useState } from "react";
import { groups } from "../../api/groups";
import { people, person } from "../../api/people";
import { nameIn, useTexts } from "../../i18n";
import styles from "../admin.module.css";

/** useChannels answers every project channel's name, and the choice of them by group. */
export function useChannels() {
  const { locale } = useTexts();
  const query = useQuery({ queryKey: ["groups"], queryFn: ({ signal }) => groups(signal) });
  return useMemo(() => {
    const names = new Map<string, string>();
    const options = (query.data?.items ?? []).map((g) => ({
      label: nameIn(locale, g.name, g.key ?? g.id),
      options: (g.channels ?? []).map((c) => {
        const label = nameIn(locale, c.name, c.key ?? c.id);
        const whole = `${nameIn(locale, g.name, g.key ?? g.id)} / ${label}`;
        names.set(c.id, whole);
        return { value: c.id, label: `# ${label}`, search: `${whole} ${g.key} ${c.key}`.toLowerCase() };
      }),
    }));
    return { names, options, loading: query.isPending };
  }, [query.data, query.isPending, locale]);
}

/** ChooseChannel picks one channel among all project groups. */
export function ChooseChannel({ value, onChange }: { value: string; onChange: (id: string | undefined) => void }) {
  const { t } = useTexts();
  const { names, options, loading } = useChannels();
  return (
    <Select
      className={styles.search}
      showSearch={{ filterOption: (input, option) => !!option && "search" in option && String(option.search).includes(input.toLowerCase()) }}
      allowClear
      loading={loading}
      value={loading ? undefined : value || undefined}
      placeholder={t.access.chooseChannel}
      aria-label={t.access.channel}
      onChange={onChange}
      options={options}
      labelRender={({ value: id, label }) => names.get(String(id)) ?? label}
    />
  );
}

/** usePersonName answers a person's name; empty until it is known. */
export function usePersonName(id: string): string {
  const query = useQuery({ queryKey: ["person", id], queryFn: ({ signal }) => person(id, signal), enabled: id !== "" });
  return query.data?.display_name ?? "";
}

/** ChoosePerson finds a person by name, on the server. */
export function ChoosePerson({ value, onChange }: { value: string; onChange: (id: string | undefined) => void }) {
  const { t } = useTexts();
  const [typed, setTyped] = useState("");
  const [q, setQ] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => setQ(typed.trim()), 200);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const found = useQuery({ queryKey: ["people", "choose", q], queryFn: ({ signal }) => people({ q, limit: 20 }, signal), placeholderData: keepPreviousData });
  const name = usePersonName(value);
  const options = (found.data?.items ?? []).map((p) => ({ value: p.id, label: p.display_name || p.user_name || p.id, note: p.email || p.user_name }));
  if (value && name && !options.some((o) => o.value === value)) options.unshift({ value, label: name, note: "" });
  return (
    <Select
      className={styles.search}
      showSearch={{ filterOption: false, onSearch: setTyped }}
      allowClear
      loading={found.isFetching}
      value={value && (name || options.some((o) => o.value === value)) ? value : undefined}
      placeholder={t.access.choosePerson}
      aria-label={t.access.person}
      onChange={onChange}
      options={options}
      optionRender={(o) => (
        <>
          {o.data.label} <span className={styles.small}>{o.data.note}</span>
        </>
      )}
    />
  );
}
