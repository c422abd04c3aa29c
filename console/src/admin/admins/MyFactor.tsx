import { useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input } from "antd";
import { useState } from "react";
import { confirmFactor, enrol, factor, stepUp, type Factor } from "../../api/admins";
import { useTexts } from "../../i18n";
import { full } from "../../i18n/time";
import { Card, Code, Section } from "../../ui/page";
import { Loaded, useProblemText } from "../../ui/states";
import styles from "../admin.module.css";

/** MyFactor sets up one's own second factor and proves it. What is shown once is kept nowhere. */
export function MyFactor() {
  const { t } = useTexts();
  const query = useQuery({ queryKey: ["factor"], queryFn: ({ signal }) => factor(signal) });
  const [fresh, setFresh] = useState<{ secret: string; uri: string }>();
  const [codes, setCodes] = useState<string[]>();
  return (
    <Section title={t.admins.mine}>
      <Loaded query={query}>
        {(f) => (
          <Card rows>
            <div>
              {codes ? (
                <Recovery codes={codes} done={() => setCodes(undefined)} />
              ) : fresh ? (
                <First
                  fresh={fresh}
                  done={(list) => {
                    setFresh(undefined);
                    setCodes(list);
                  }}
                />
              ) : (
                <Standing factor={f} begin={setFresh} />
              )}
            </div>
          </Card>
        )}
      </Loaded>
    </Section>
  );
}

function useWork() {
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const work = async (what: () => Promise<void>) => {
    setBusy(true);
    try {
      await what();
    } catch (error) {
      void message.error(textOf(error));
    }
    setBusy(false);
    await queries.invalidateQueries({ queryKey: ["factor"] });
  };
  return { busy, work };
}

function Standing({ factor: f, begin }: { factor: Factor; begin: (fresh: { secret: string; uri: string }) => void }) {
  const { t, locale } = useTexts();
  const { busy, work } = useWork();
  const [code, setCode] = useState("");
  const start = () => void work(async () => begin(await enrol()));
  if (!f.enrolled)
    return (
      <div className={styles.line}>
        <span className={styles.lineText}>{f.required ? t.admins.required : t.admins.notEnrolled}</span>
        <Button loading={busy} onClick={start}>
          {t.admins.enrol}
        </Button>
      </div>
    );
  const prove = () =>
    void work(async () => {
      await stepUp(code);
      setCode("");
    });
  return (
    <>
      <p>{f.locked ? t.admins.locked : t.admins.enrolled(f.recovery)}</p>
      {f.stepped_until && <p>{t.admins.until(full(f.stepped_until, locale))}</p>}
      {!f.locked && (
        <div className={styles.filters}>
          <Input className={styles.select} style={{ maxWidth: 220 }} value={code} autoComplete="one-time-code" placeholder={t.admins.code} aria-label={t.admins.code} onChange={(e) => setCode(e.target.value)} onPressEnter={prove} />
          <Button type="primary" loading={busy} disabled={code.trim().length < 6} onClick={prove}>
            {t.admins.stepUp}
          </Button>
          {f.stepped_until && (
            <Button type="text" onClick={start}>
              {t.admins.again}
            </Button>
          )}
        </div>
      )}
    </>
  );
}

function First({ fresh, done }: { fresh: { secret: string; uri: string }; done: (codes: string[]) => void }) {
  const { t } = useTexts();
  const { busy, work } = useWork();
  const [code, setCode] = useState("");
  const confirm = () => void work(async () => done((await confirmFactor(code)).recovery));
  return (
    <>
      <p>{t.admins.secret}</p>
      <p>
        <Code>{fresh.secret.replace(/(.{4})/g, "$1 ").trim()}</Code> <a href={fresh.uri}>{t.admins.link}</a>
      </p>
      <p>{t.admins.firstCode}</p>
      <div className={styles.filters}>
        <Input style={{ maxWidth: 220 }} value={code} autoComplete="one-time-code" placeholder={t.admins.code} aria-label={t.admins.code} onChange={(e) => setCode(e.target.value)} onPressEnter={confirm} />
        <Button type="primary" loading={busy} disabled={code.trim().length < 6} onClick={confirm}>
          {t.admins.confirm}
        </Button>
      </div>
    </>
  );
}

function Recovery({ codes, done }: { codes: string[]; done: () => void }) {
  const { t } = useTexts();
  return (
    <>
      <p>{t.admins.recovery}</p>
      <p className={styles.chips}>
        {codes.map((c) => (
          <Code key={c}>{c}</Code>
        ))}
      </p>
      <Button type="primary" onClick={done}>
        {t.admins.written}
      </Button>
    </>
  );
}
