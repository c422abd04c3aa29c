import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Input, Modal, Select } from "antd";
import { useState } from "react";
import { endsSoon, isLive, issueToken, revokeToken, rotation, type SourceDetail, type Token } from "../../api/sources";
import { useTexts } from "../../i18n";
import { ago, date, known } from "../../i18n/time";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Copy } from "../../ui/Copy";
import { Card, Code, Section } from "../../ui/page";
import { Tag, When } from "../../ui/people";
import { Empty, useProblemText } from "../../ui/states";
import styles from "../admin.module.css";
import own from "./source.module.css";

/** Tokens are the secrets of a SCIM source: which are live, which was used when, and how to change one without a gap. */
export function Tokens({ source }: { source: SourceDetail }) {
  const { t } = useTexts();
  const sees = mayEverywhere(useMe(), "future.read");
  const [making, setMaking] = useState(false);
  const tokens = source.tokens ?? [];
  const live = tokens.filter((token) => isLive(token));
  const ended = tokens.length - live.length;
  return (
    <Section
      title={t.source.tokens}
      hint={sees ? t.source.tokensHint : t.source.tokensAhead}
      more={
        <Button data-make-token size="small" disabled={!sees || live.length >= 2} onClick={() => setMaking(true)}>
          {t.source.makeToken}
        </Button>
      }
    >
      <Card rows>
        {live.length === 0 && <Empty title={t.source.noTokens} hint={t.source.noTokensHint} />}
        {live.map((token) => (
          <div key={token.id}>
            <Row token={token} source={source.id} last={live.length === 1} />
          </div>
        ))}
        {ended > 0 && (
          <details>
            <summary className={styles.small}>{t.source.oldTokens(ended)}</summary>
            {tokens
              .filter((token) => !isLive(token))
              .map((token) => (
                <div key={token.id} className={`${styles.line} ${styles.gap}`}>
                  <span className={styles.lineText}>
                    {token.name || token.id} <Code>{token.id}</Code>
                  </span>
                  <Tag>{known(token.revoked_at) ? t.source.revoked : t.source.expired}</Tag>
                  <When at={known(token.revoked_at) ? token.revoked_at : token.expires_at} />
                </div>
              ))}
          </details>
        )}
      </Card>
      {live.length > 0 && <Rotate tokens={tokens} />}
      {making && <Make source={source.id} done={() => setMaking(false)} />}
    </Section>
  );
}

function Row({ token, source, last }: { token: Token; source: string; last: boolean }) {
  const { t, locale } = useTexts();
  const { modal, message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const soon = endsSoon(token);
  const used = known(token.last_used_at) ? ago(token.last_used_at, locale) : "";
  const revoke = () =>
    modal.confirm({
      title: t.source.revokeTitle,
      content: [t.source.revokeText, used && t.source.revokeUsed(used), last && t.source.revokeLast].filter(Boolean).join(" "),
      okText: t.source.revoke,
      okButtonProps: { danger: true },
      cancelText: t.shell.cancel,
      onOk: async () => {
        try {
          await revokeToken(source, token.id);
          await queries.invalidateQueries({ queryKey: ["source", source] });
        } catch (error) {
          void message.error(textOf(error));
        }
      },
    });
  return (
    <div className={styles.line}>
      <span className={styles.lineText}>
        <span className={styles.strong}>{token.name || token.id}</span> <Tag tone={token.scope === "read" ? "quiet" : "accent"}>{t.source.scope[token.scope ?? "write"]}</Tag>{" "}
        {soon !== undefined && <Tag tone="warn">{t.source.endsIn(soon)}</Tag>}
        <div className={styles.small}>
          {[used ? `${t.source.used} ${used}` : t.source.neverUsed, known(token.expires_at) ? t.words.until(date(token.expires_at, locale)) : "", token.id].filter(Boolean).join(" · ")}
        </div>
      </span>
      <Button danger onClick={revoke}>
        {t.source.revoke}
      </Button>
    </div>
  );
}

/** Rotate says which step of changing a token comes next. */
function Rotate({ tokens }: { tokens: Token[] }) {
  const { t } = useTexts();
  const at = { none: 0, one: 0, move: 1, retire: 3 }[rotation(tokens).step];
  return (
    <div className={own.note}>
      <div className={styles.small}>{t.source.rotate}</div>
      <ol className={own.rotate}>
        {t.source.rotateSteps.map((text, i) => (
          <li key={text} className={i < at ? own.past : i === at ? own.now : undefined} aria-current={i === at ? "step" : undefined}>
            {text}
          </li>
        ))}
      </ol>
    </div>
  );
}

type Expiry = "never" | "d30" | "d90" | "d180" | "d365";

function Make({ source, done }: { source: string; done: () => void }) {
  const { t } = useTexts();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [expiry, setExpiry] = useState<Expiry>("d365");
  const [scope, setScope] = useState<"write" | "read">("write");
  const make = useMutation({
    mutationFn: () => issueToken(source, { name: name.trim() || undefined, scope, expires_at: expiry === "never" ? undefined : new Date(Date.now() + Number(expiry.slice(1)) * 86_400_000).toISOString() }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["source", source] }),
  });
  if (make.data)
    return (
      <Modal open title={t.source.secretTitle} closable={false} footer={<Button type="primary" onClick={done}>{t.source.done}</Button>}>
        <p>{t.source.secretText}</p>
        <div className={own.secret}>
          <span className={own.secretText}>{make.data.secret}</span>
          <Copy primary text={make.data.secret} />
        </div>
      </Modal>
    );
  return (
    <Modal open title={t.source.makeToken} okText={t.source.makeToken} okButtonProps={{ loading: make.isPending }} cancelText={t.shell.cancel} onOk={() => make.mutate()} onCancel={done}>
      <div className={own.form}>
        <label className={own.field}>
          {t.source.tokenName}
          <Input value={name} maxLength={100} onChange={(e) => setName(e.target.value)} onPressEnter={() => make.mutate()} />
        </label>
        <label className={own.field}>
          {t.source.tokenExpires}
          <Select<Expiry> value={expiry} onChange={setExpiry} options={(["d30", "d90", "d180", "d365", "never"] as const).map((value) => ({ value, label: t.source.expiry[value] }))} />
        </label>
        <label className={own.field}>
          {t.source.tokenScope}
          <Select<"write" | "read"> value={scope} onChange={setScope} options={(["write", "read"] as const).map((value) => ({ value, label: t.source.scope[value] }))} />
        </label>
        {make.error && (
          <p className={styles.alertTitle} role="alert">
            {textOf(make.error)}
          </p>
        )}
      </div>
    </Modal>
  );
}
