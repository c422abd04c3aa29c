import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Modal } from "antd";
import { useState } from "react";
import { linkMany, type SourceRef } from "../../api/workitems";
import { useTexts, word } from "../../i18n";
import { Loaded, useProblemText } from "../../ui/states";
import admin from "../admin.module.css";
import styles from "./workitems.module.css";

/** BulkButton links all pairs of a source that have one thing in common, after a look at how many and at the first of them. */
export function BulkButton({ source, hint }: { source: SourceRef; hint: string }) {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{t.review.linkAll}</Button>
      {open && <Bulk source={source} hint={hint} close={() => setOpen(false)} />}
    </>
  );
}

function Bulk({ source, hint, close }: { source: SourceRef; hint: string; close: () => void }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [done, setDone] = useState(0);
  const preview = useQuery({ queryKey: ["workitems", "bulk", source.id, hint], queryFn: () => linkMany({ source: source.id, hint, dry_run: true }), staleTime: 0, gcTime: 0 });
  const all = preview.data?.linked ?? 0;
  const action = useMutation({
    mutationFn: async () => {
      let linked = 0;
      let cursor: string | undefined;
      do {
        const part = await linkMany({ source: source.id, hint, before: preview.data?.before, cursor });
        linked += part.linked;
        cursor = part.next;
        setDone(linked);
      } while (cursor);
      return linked;
    },
    onSuccess: (linked) => {
      void message.success(t.review.linkedMany(linked));
      close();
    },
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <Modal
      open
      title={t.review.bulkTitle(source.name ?? source.id, word(t.review.hint, hint))}
      okText={t.review.linkMany(all)}
      okButtonProps={{ disabled: all === 0, loading: action.isPending }}
      cancelText={t.shell.cancel}
      onOk={() => action.mutate()}
      onCancel={close}
    >
      <Loaded query={preview}>
        {(look) => (
          <>
            <p>{t.review.bulkText(look.linked)}</p>
            {Object.entries(look.skipped).map(([why, n]) => (
              <div key={why} className={admin.line}>
                <span className={admin.lineText}>{word(t.review.skipped, why)}</span>
                <span>{t.review.pairs(n)}</span>
              </div>
            ))}
            {look.sample.length > 0 && <p className={`${admin.gap} ${admin.small}`}>{t.review.sample}</p>}
            {look.sample.slice(0, 8).map((i) => (
              <div key={i.id} className={styles.says}>
                {i.older.display_name || i.older.id} = {i.newer.display_name || i.newer.id}
              </div>
            ))}
            {action.isPending && <p className={admin.gap}>{t.review.progress(done, look.linked)}</p>}
            {action.error && (
              <p className={admin.alertTitle} role="alert">
                {textOf(action.error)}
              </p>
            )}
          </>
        )}
      </Loaded>
    </Modal>
  );
}
