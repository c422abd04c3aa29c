import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal } from "antd";
import { useState } from "react";
import { confirmCode, guest, makeLink, sendLink, type Guest, type GuestLink } from "../api/guests";
import styles from "../admin/admin.module.css";
import { useTexts, word } from "../i18n";
import { full, known } from "../i18n/time";
import { Copy } from "../ui/Copy";
import { Code } from "../ui/page";
import { Loaded } from "../ui/states";
import { Refused } from "./words";

/** WayIn is how a guest comes in: links to pass on or to be sent, and the code by which whoever answers for them knows that it is them. */
export function WayIn({ mine, guest: g, close }: { mine: boolean; guest: Guest; close: () => void }) {
  const { t } = useTexts();
  return (
    <Modal open title={t.guests.wayTitle(g.name)} footer={null} onCancel={close}>
      <Ways mine={mine} id={g.id} />
    </Modal>
  );
}

/** Ways is the same, inside of something else. */
export function Ways({ mine, id }: { mine: boolean; id: string }) {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["guests", "one", mine, id], queryFn: ({ signal }) => guest(mine, id, signal) });
  return <Loaded query={query}>{(g) => (g.links ? <Links mine={mine} id={id} links={g.links} /> : <p className={styles.muted}>{t.guests.wayProvider}</p>)}</Loaded>;
}

function Links({ mine, id, links }: { mine: boolean; id: string; links: GuestLink[] }) {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const onSettled = () => queries.invalidateQueries({ queryKey: ["guests"] });
  const link = useMutation({ mutationFn: () => makeLink(mine, id), onSettled });
  const mail = useMutation({ mutationFn: () => sendLink(mine, id), onSuccess: () => void message.success(t.guests.mailed), onSettled });
  const confirm = useMutation({
    mutationFn: () => confirmCode(mine, id, code.trim()),
    onSuccess: () => {
      setCode("");
      void message.success(t.guests.confirmed);
    },
    onSettled,
  });
  return (
    <>
      <div className={styles.filters}>
        <Button data-make-link loading={link.isPending} onClick={() => link.mutate()}>
          {t.guests.makeLink}
        </Button>
        <Button loading={mail.isPending} onClick={() => mail.mutate()}>
          {t.guests.sendMail}
        </Button>
      </div>
      {link.data && (
        <div role="status" style={{ marginBottom: 16 }}>
          <p style={{ overflowWrap: "anywhere" }}>
            <Code>{link.data.url}</Code> <Copy text={link.data.url} />
          </p>
          <p className={styles.small}>
            {t.guests.link} {t.guests.untilExactly(full(link.data.until, locale))}
          </p>
        </div>
      )}
      <p className={styles.muted} style={{ marginBottom: 6 }}>{t.guests.codeHint}</p>
      <div className={styles.filters}>
        <Input style={{ maxWidth: 200 }} aria-label={t.guests.pairing} placeholder={t.guests.pairing} maxLength={40} value={code} onChange={(e) => setCode(e.target.value)} />
        <Button disabled={!code.trim()} loading={confirm.isPending} onClick={() => confirm.mutate()}>
          {t.guests.confirm}
        </Button>
      </div>
      <Refused error={link.error ?? mail.error ?? confirm.error} />
      {links.slice(0, 5).map((l) => (
        <p key={l.id} className={styles.small}>
          {word(t.guests.way, l.way)}, {full(l.made_at, locale)}: {known(l.used_at) ? t.guests.linkUsed(full(l.used_at, locale)) : known(l.ended_at) ? t.guests.linkOver : l.failed ? t.guests.linkFailed : t.guests.untilExactly(full(l.until, locale))}
        </p>
      ))}
    </>
  );
}
