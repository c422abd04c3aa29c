import { useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Select } from "antd";
import { useState } from "react";
import { admins, emergency, forgetFactor, grant, revoke, roleLines, unlock, type AdminRole, type Role, type RoleLine } from "../../api/admins";
import { units } from "../../api/people";
import { nameIn, useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { may } from "../../session/rules";
import { useMe } from "../../session/session";
import { When, Who } from "../../ui/people";
import { Card, Page, Section } from "../../ui/page";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import { ChoosePerson } from "../access/choose";
import { Name } from "../Name";
import { MyFactor } from "./MyFactor";
import styles from "../admin.module.css";

/** AdminsPage shows who has which role, gives and takes them, and holds one's own second factor. */
export default function AdminsPage() {
  const { t } = useTexts();
  const me = useMe();
  const reads = may(me, "admins.read");
  return (
    <Page title={t.admins.title} lead={t.admins.lead}>
      {me.person && <MyFactor />}
      {reads && <Holders />}
      {reads && <Account />}
      {reads && <Lines />}
    </Page>
  );
}

function Holders() {
  const { t } = useTexts();
  const me = useMe();
  const query = useQuery({ queryKey: ["admins"], queryFn: ({ signal }) => admins(signal) });
  const writes = may(me, "admins.write");
  return (
    <Section title={t.admins.who}>
      {writes && <Give />}
      <Loaded query={query}>
        {(page) => (
          <Card rows>
            {page.items.length === 0 ? <Empty title={t.admins.none} /> : page.items.map((a) => <Holder key={`${a.person} ${a.role} ${a.unit ?? ""}`} held={a} writes={writes && a.person !== me.person?.id} />)}
          </Card>
        )}
      </Loaded>
    </Section>
  );
}

function useChange() {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  return async (work: () => Promise<unknown>) => {
    try {
      await work();
      void message.success(t.admins.done);
    } catch (error) {
      void message.error(textOf(error));
    }
    await queries.invalidateQueries({ queryKey: ["admins"] });
  };
}

function Holder({ held: a, writes }: { held: AdminRole; writes: boolean }) {
  const { t } = useTexts();
  const { modal } = AntApp.useApp();
  const change = useChange();
  const name = a.display_name || a.person;
  const ask = (title: string, content: string, okText: string, work: () => Promise<unknown>) =>
    modal.confirm({ title, content, okText, okButtonProps: { danger: true }, cancelText: t.shell.cancel, onOk: () => change(work) });
  return (
    <div className={styles.line} style={{ flexWrap: "wrap" }}>
      <span className={styles.lineText} style={{ minWidth: 220 }}>
        <Who id={a.person} name={a.display_name} note={`${word(t.admins.role, a.role)} · ${a.unit ? a.unit_name || a.unit : t.admins.whole}`} link />
      </span>
      <span className={styles.small}>
        {t.admins.by} <Name id={a.granted_by} /> · <When at={a.granted_at} />
      </span>
      {writes && (
        <>
          <Button type="text" onClick={() => void change(() => unlock(a.person))}>
            {t.admins.unlock}
          </Button>
          <Button type="text" onClick={() => ask(t.admins.forgetTitle(name), t.admins.forgetText, t.admins.forget, () => forgetFactor(a.person))}>
            {t.admins.forget}
          </Button>
          <Button danger onClick={() => ask(t.admins.revokeTitle(name, word(t.admins.role, a.role)), t.admins.revokeText, t.admins.revoke, () => revoke(a))}>
            {t.admins.revoke}
          </Button>
        </>
      )}
    </div>
  );
}

function Give() {
  const { t, locale } = useTexts();
  const change = useChange();
  const [person, setPerson] = useState("");
  const [role, setRole] = useState<Role>();
  const [unit, setUnit] = useState<string>();
  const lines = useQuery({ queryKey: ["roles"], queryFn: ({ signal }) => roleLines(signal) });
  const known = useQuery({ queryKey: ["units"], queryFn: ({ signal }) => units(signal) });
  const limitable = lines.data?.items.find((l) => l.role === role)?.limitable ?? false;
  return (
    <div className={styles.filters}>
      <ChoosePerson value={person} onChange={(id) => setPerson(id ?? "")} />
      <Select
        className={styles.wide}
        value={role}
        placeholder={t.admins.chooseRole}
        aria-label={t.admins.chooseRole}
        onChange={setRole}
        options={(lines.data?.items ?? []).map((l) => ({ value: l.role, label: word(t.admins.role, l.role) }))}
      />
      {limitable && (
        <Select
          className={styles.wide}
          allowClear
          value={unit}
          placeholder={t.admins.chooseUnit}
          aria-label={t.admins.chooseUnit}
          onChange={setUnit}
          options={(known.data?.items ?? []).map((u) => ({ value: u.id, label: nameIn(locale, u.names ?? u.name, u.id) }))}
        />
      )}
      <Button type="primary" disabled={!person || !role} onClick={() => role && void change(() => grant(person, role, limitable ? unit : undefined))}>
        {t.admins.grant}
      </Button>
    </div>
  );
}

function Account() {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["emergency"], queryFn: ({ signal }) => emergency(signal) });
  return (
    <Section title={t.admins.emergency}>
      <Loaded query={query}>
        {(e) => (
          <Card rows>
            <p>
              {e.used_at ? t.admins.emergencyUsed(full(e.used_at, locale)) : e.sealed_at ? t.admins.emergencySealed(full(e.sealed_at, locale)) : t.admins.emergencyNone}
              {e.half_at && ` ${t.admins.emergencyHalf(full(e.half_at, locale))}`}
            </p>
          </Card>
        )}
      </Loaded>
    </Section>
  );
}

function Lines() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["roles"], queryFn: ({ signal }) => roleLines(signal) });
  return (
    <Section title={t.admins.holds} hint={t.admins.dangerousHint}>
      <Loaded query={query}>{(page) => <Card rows>{page.items.map((l) => <Held key={l.role} line={l} />)}</Card>}</Loaded>
    </Section>
  );
}

function Held({ line }: { line: RoleLine }) {
  const { t } = useTexts();
  return (
    <div>
      <div className={styles.strong}>{word(t.admins.role, line.role)}</div>
      <div className={styles.chips}>
        {line.permissions.map((p) => (
          <span key={p} className={styles.chip} title={p}>
            {line.dangerous.includes(p) ? <strong>{word(t.admins.permission, p)}</strong> : word(t.admins.permission, p)}
          </span>
        ))}
      </div>
    </div>
  );
}
