import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Input, Modal, Select } from "antd";
import { useState, type ReactNode } from "react";
import { doors, invite, type Guest } from "../api/guests";
import styles from "../admin/admin.module.css";
import { nameIn, useTexts } from "../i18n";
import { Empty, Loaded } from "../ui/states";
import { Ways } from "./WayIn";
import { Field, inDays, Refused, Term, Until } from "./words";

type Props = {
  /** one's own guests, else an administrator's act in the name of a sponsor */
  mine: boolean;
  group?: string;
  channel?: string;
  company?: string;
  /** how a sponsor is chosen, for administrators */
  sponsor?: (value: string, onChange: (id: string | undefined) => void) => ReactNode;
  close: () => void;
};

/** Invite takes whom to let in, into which channels and until when, and says what came of it. */
export function Invite(props: Props) {
  const { t } = useTexts();
  const { mine, close } = props;
  const open = useQuery({ queryKey: ["guests", "doors", mine], queryFn: ({ signal }) => doors(mine, signal) });
  const [made, setMade] = useState<Guest>();
  return (
    <Modal open title={t.guests.inviteVendor} footer={null} onCancel={close} destroyOnHidden>
      {made ? (
        <Made mine={mine} guest={made} close={close} />
      ) : (
        <Loaded query={open}>{(d) => (d.groups.length === 0 || d.companies.length === 0 ? <Empty title={d.groups.length === 0 ? t.guests.notSponsor : t.guests.noCompany} /> : <Form {...props} open={d} made={setMade} />)}</Loaded>
      )}
    </Modal>
  );
}

function Form({ mine, group: first, channel, company: of, sponsor: choose, open, made, close }: Props & { open: Awaited<ReturnType<typeof doors>>; made: (g: Guest) => void }) {
  const { t, locale } = useTexts();
  const queries = useQueryClient();
  const [group, setGroup] = useState(first && open.groups.some((g) => g.group === first) ? first : (open.groups[0]?.group ?? ""));
  const there = open.groups.find((g) => g.group === group);
  const shut = !!channel && group === first && !there?.channels.some((c) => c.key === channel || c.id === channel);
  const [channels, setChannels] = useState<string[]>(there?.channels.filter((c) => c.key === channel || c.id === channel).map((c) => c.key) ?? []);
  const [company, setCompany] = useState(of && open.companies.some((c) => c.key === of) ? of : open.companies.length === 1 ? (open.companies[0]?.key ?? "") : "");
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [sponsor, setSponsor] = useState("");
  const [until, setUntil] = useState(() => inDays(Math.min(90, open.most_days)));
  const [reason, setReason] = useState("");
  const theirs = open.companies.find((c) => c.key === company);
  const send = useMutation({
    mutationFn: () => invite(mine, { company, email: email.trim(), name: name.trim(), group, channels, until: new Date(until).toISOString(), reason: reason.trim(), ...(!mine && { sponsor }) }),
    onSuccess: made,
    onSettled: () => queries.invalidateQueries({ queryKey: ["guests"] }),
  });
  const whole = company && email.includes("@") && name.trim() && channels.length > 0 && until && reason.trim() && (mine || sponsor);
  return (
    <>
      <p className={styles.muted} style={{ marginBottom: 16 }}>{t.guests.inviteHint}</p>
      {shut && <p className={styles.alertTitle} role="status" style={{ marginBottom: 12 }}>{t.guests.notOpen}</p>}
      <Field label={t.guests.company} hint={theirs && t.guests.domains(theirs.domains.join(", "))}>
        <Select style={{ width: "100%" }} aria-label={t.guests.company} value={company || undefined} onChange={setCompany} options={open.companies.map((c) => ({ value: c.key, label: nameIn(locale, c.names, c.key) }))} />
      </Field>
      <Field label={t.guests.email}>
        <Input type="email" aria-label={t.guests.email} value={email} maxLength={320} onChange={(e) => setEmail(e.target.value)} />
      </Field>
      <Field label={t.guests.name}>
        <Input aria-label={t.guests.name} value={name} maxLength={200} onChange={(e) => setName(e.target.value)} />
      </Field>
      <Field label={t.guests.group}>
        <Select style={{ width: "100%" }} aria-label={t.guests.group} value={group} onChange={(g: string) => { setGroup(g); setChannels([]); }} options={open.groups.map((g) => ({ value: g.group, label: nameIn(locale, g.names, g.key) }))} />
      </Field>
      <Field label={t.guests.channels}>
        <Select mode="multiple" style={{ width: "100%" }} aria-label={t.guests.channels} placeholder={t.guests.chooseChannels} value={channels} onChange={setChannels} options={(there?.channels ?? []).map((c) => ({ value: c.key, label: `# ${nameIn(locale, c.names, c.key)}` }))} />
      </Field>
      {choose && (
        <Field label={t.guests.sponsor}>
          <div className={styles.filters} style={{ marginBottom: 0 }}>{choose(sponsor, (v) => setSponsor(v ?? ""))}</div>
        </Field>
      )}
      <Field label={t.guests.until} hint={t.guests.most(open.most_days)}>
        <Until label={t.guests.until} value={until} onChange={setUntil} />
      </Field>
      <Field label={t.guests.reason} hint={t.guests.reasonHint}>
        <Input aria-label={t.guests.reason} value={reason} maxLength={500} onChange={(e) => setReason(e.target.value)} />
      </Field>
      <Refused error={send.error} />
      <div className={styles.buttons}>
        <Button type="primary" data-send-invitation disabled={!whole} loading={send.isPending} onClick={() => send.mutate()}>
          {t.guests.invite}
        </Button>
        <Button onClick={close}>{t.shell.cancel}</Button>
      </div>
    </>
  );
}

function Made({ mine, guest: g, close }: { mine: boolean; guest: Guest; close: () => void }) {
  const { t } = useTexts();
  return (
    <div role="status" data-invited={g.id}>
      <p className={styles.strong}>{g.waiting ? t.guests.asked(g.name) : t.guests.invited(g.name)}</p>
      <p>{g.waiting ? t.guests.waits : <Term until={g.until} bound={g.bound_by} />}</p>
      {!g.waiting && (
        <div className={styles.gap}>
          <Ways mine={mine} id={g.id} />
        </div>
      )}
      <div className={styles.buttons}>
        <Button type="primary" onClick={close}>
          {t.guests.dismiss}
        </Button>
      </div>
    </div>
  );
}
