import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useRef, useState } from "react";
import { importFile } from "../api/guests";
import styles from "../admin/admin.module.css";
import { useTexts } from "../i18n";
import { Refused } from "./words";
import { Rows } from "./Rows";

/** textOf reads a file in UTF-8, else as spreadsheets in China write it. */
async function textOf(file: File): Promise<string> {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}

/** ImportFile takes a file of people to let in, shows what would become of each line, and does that very thing. */
export function ImportFile({ mine, close }: { mine: boolean; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const chooser = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(`company,email,name,group,channels,until,reason${mine ? "" : ",sponsor"}\n`);
  const look = useMutation({ mutationFn: () => importFile(mine, text) });
  const apply = useMutation({
    mutationFn: () => importFile(mine, text, look.data && { at: look.data.at, basis: look.data.basis }),
    onSuccess: () => {
      void message.success(t.guests.applied);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["guests"] }),
  });
  const change = (next: string) => {
    setText(next);
    look.reset(); // a preview belongs to what it was made of
    apply.reset();
  };
  const changes = look.data?.rows.some((r) => r.op === "invite" || r.op === "extend");
  return (
    <Modal
      open
      width={760}
      title={t.guests.fileTitle}
      onCancel={close}
      footer={
        <>
          <Button data-look-file type={look.data ? "default" : "primary"} loading={look.isPending} onClick={() => { apply.reset(); look.mutate(); }}>
            {t.guests.look}
          </Button>
          {look.data && (
            <Button type="primary" data-apply-file disabled={!changes} loading={apply.isPending} onClick={() => apply.mutate()}>
              {t.guests.apply}
            </Button>
          )}
        </>
      }
    >
      <p className={styles.muted}>
        {t.guests.fileHint} {mine && t.guests.fileMine}
      </p>
      <div className={`${styles.gap} ${styles.filters}`}>
        <Button onClick={() => chooser.current?.click()}>{t.guests.chooseFile}</Button>
        <input ref={chooser} type="file" accept=".csv,text/csv,text/plain" hidden onChange={(e) => e.target.files?.[0] && void textOf(e.target.files[0]).then(change)} />
      </div>
      <Input.TextArea className={styles.editor} rows={6} spellCheck={false} aria-label={t.guests.fileTitle} value={text} onChange={(e) => change(e.target.value)} />
      <Refused error={look.error ?? apply.error} />
      {look.data && <Rows batch={look.data} />}
    </Modal>
  );
}
