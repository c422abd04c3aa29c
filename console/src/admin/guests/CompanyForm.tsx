import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Input, InputNumber, Modal, Select } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { addCompany, changeCompany, type Company, type CompanyBody } from "../../api/guests";
import { Field, localText, Refused, Until } from "../../guests/words";
import { useTexts } from "../../i18n";
import { known } from "../../i18n/time";
import { ChoosePerson } from "../access/choose";
import styles from "../admin.module.css";

/** CompanyForm adds a company, or changes one. */
export function CompanyForm({ company: c, close }: { company?: Company; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [key, setKey] = useState("");
  const [en, setEn] = useState(c?.names["en"] ?? "");
  const [zh, setZh] = useState(c?.names["zh"] ?? "");
  const [domains, setDomains] = useState<string[]>(c?.domains ?? []);
  const [owner, setOwner] = useState(c?.owner ?? "");
  const [ends, setEnds] = useState(known(c?.ends_at) ? localText(new Date(c.ends_at)) : "");
  const [most, setMost] = useState<number | null>(c?.most || null);
  const [documents, setDocuments] = useState<string[]>(c?.documents ?? []);
  const names = { ...(en.trim() && { en: en.trim() }), ...(zh.trim() && { zh: zh.trim() }) };
  const body: CompanyBody = { names, domains, owner, documents, most: most ?? 0, ...(ends && { ends_at: new Date(ends).toISOString() }), ...(c && !ends && { endless: true }) };
  const send = useMutation({
    mutationFn: () => (c ? changeCompany(c.key, body) : addCompany({ ...body, key: key.trim() })),
    onSuccess: (made) => {
      void message.success(made.shortened ? t.guests.shortened(made.shortened) : t.guests.saved, 5);
      close();
      if (!c) go(`/admin/companies/${made.key}`);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["guests"] }),
  });
  const whole = (c || key.trim()) && (en.trim() || zh.trim()) && domains.length > 0 && owner;
  return (
    <Modal open title={c ? t.guests.changeCompany : t.guests.addCompany} okText={t.guests.save} cancelText={t.shell.cancel} okButtonProps={{ disabled: !whole, loading: send.isPending }} onOk={() => send.mutate()} onCancel={close}>
      {!c && (
        <Field label={t.guests.key} hint={t.guests.keyHint}>
          <Input aria-label={t.guests.key} value={key} maxLength={40} onChange={(e) => setKey(e.target.value)} />
        </Field>
      )}
      <Field label={t.guests.nameEn}>
        <Input aria-label={t.guests.nameEn} value={en} maxLength={200} onChange={(e) => setEn(e.target.value)} />
      </Field>
      <Field label={t.guests.nameZh}>
        <Input aria-label={t.guests.nameZh} value={zh} maxLength={200} onChange={(e) => setZh(e.target.value)} />
      </Field>
      <Field label={t.guests.domainsLabel} hint={t.guests.domainsHint}>
        <Select mode="tags" open={false} suffixIcon={null} tokenSeparators={[",", " "]} style={{ width: "100%" }} aria-label={t.guests.domainsLabel} value={domains} onChange={setDomains} />
      </Field>
      <Field label={t.guests.owner} hint={t.guests.ownerHint}>
        <div className={styles.filters} style={{ marginBottom: 0 }}>
          <ChoosePerson value={owner} onChange={(v) => setOwner(v ?? "")} />
        </div>
      </Field>
      <Field label={t.guests.contract} hint={t.guests.contractHint}>
        <Until label={t.guests.contract} value={ends} onChange={setEnds} />
      </Field>
      <Field label={t.guests.limit}>
        <InputNumber aria-label={t.guests.limit} placeholder={t.guests.limitNone} min={1} max={1_000_000} precision={0} value={most} onChange={setMost} style={{ width: "100%" }} />
      </Field>
      <Field label={t.guests.documents} hint={t.guests.documentsHint}>
        <Select mode="tags" open={false} suffixIcon={null} tokenSeparators={["\n"]} style={{ width: "100%" }} aria-label={t.guests.documents} value={documents} onChange={setDocuments} />
      </Field>
      <Refused error={send.error} />
    </Modal>
  );
}
