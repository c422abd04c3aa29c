import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button, Checkbox, Input, InputNumber, Modal, Segmented, Switch } from "antd";
import { useState } from "react";
import { useLocation } from "wouter";
import { createSource } from "../../api/sources";
import { useTexts } from "../../i18n";
import { useProblemText } from "../../ui/states";
import styles from "../admin.module.css";
import own from "./source.module.css";

/** AddSource asks what a new source is called, and leads to its page. */
export function AddSource() {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button type="primary" data-add-source onClick={() => setOpen(true)}>
        {t.source.add}
      </Button>
      {open && <Form close={() => setOpen(false)} />}
    </>
  );
}

const valid = (name: string) => /^[a-z0-9][a-z0-9-]{0,39}$/.test(name);

function Form({ close }: { close: () => void }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [kind, setKind] = useState<"scim" | "hrfeed" | "ldap">("scim");
  const [name, setName] = useState("");
  const [priority, setPriority] = useState(100);
  const [correlate, setCorrelate] = useState<string[]>([]);
  const [advisory, setAdvisory] = useState(false);
  const [dryRun, setDryRun] = useState(true);
  const create = useMutation({
    mutationFn: () => createSource({ name, kind, priority, correlate, advisory, dry_run: dryRun }),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ["sources"] });
      go(`/admin/sources/${made.id}`);
    },
  });
  const ready = kind !== "ldap" && valid(name);
  const submit = () => ready && create.mutate();
  return (
    <Modal open title={t.source.add} okText={t.source.create} okButtonProps={{ disabled: !ready, loading: create.isPending }} cancelText={t.shell.cancel} onOk={submit} onCancel={close}>
      <p className={styles.muted}>{t.source.addText}</p>
      <div className={own.form}>
        <Segmented<"scim" | "hrfeed" | "ldap"> value={kind} onChange={setKind} options={(["scim", "hrfeed", "ldap"] as const).map((value) => ({ value, label: t.words.source[value] }))} />
        {kind === "ldap" ? (
          <p>{t.source.addLdap}</p>
        ) : (
          <>
            <label className={own.field}>
              {t.source.addName}
              <Input autoFocus value={name} maxLength={40} status={name && !valid(name) ? "error" : undefined} onChange={(e) => setName(e.target.value)} onPressEnter={submit} placeholder="entra" />
              <span className={styles.small}>{t.source.addNameHint}</span>
            </label>
            <label className={own.field}>
              {t.source.addPriority}
              <InputNumber value={priority} min={1} max={10_000} onChange={(v) => setPriority(v ?? 100)} />
              <span className={styles.small}>{t.source.addPriorityHint}</span>
            </label>
            <fieldset className={own.field} style={{ border: 0, padding: 0, margin: 0 }}>
              <legend>{t.source.addCorrelate}</legend>
              <Checkbox.Group value={correlate} onChange={setCorrelate} options={(["employee_number", "external_id"] as const).map((value) => ({ value, label: t.source.correlate[value] }))} />
            </fieldset>
            <label>
              <Switch size="small" checked={advisory} onChange={setAdvisory} /> {t.source.addAdvisory}
            </label>
            <label>
              <Switch size="small" checked={dryRun} onChange={setDryRun} /> {t.source.addDryRun}
            </label>
          </>
        )}
        {create.error && (
          <p className={styles.alertTitle} role="alert">
            {textOf(create.error)}
          </p>
        )}
      </div>
    </Modal>
  );
}
