import { CheckOutlined, CopyOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { memo, useState, type ReactNode } from "react";
import type { Message } from "../api/chat";
import { useTexts } from "../i18n";
import { clock, full } from "../i18n/time";
import { Avatar } from "../ui/people";
import styles from "./chat.module.css";
import type { Pending } from "./log";

/** MessageItem is one message. Its html was made and sanitised by the server; without html its text is shown as it is. */
export const MessageItem = memo(function MessageItem({ message, head }: { message: Message; head: boolean }) {
  const { t, locale } = useTexts();
  const name = message.author?.name || (message.author?.id ? t.chat.unknownAuthor : t.chat.someone);
  const at = message.at ?? "";
  return (
    <Row id={message.author?.id ?? ""} name={name} at={at} head={head} time={at ? clock(at, locale) : ""} full={at ? full(at, locale) : ""}>
      {message.erased ? (
        <div className={styles.erased}>{t.chat.erased}</div>
      ) : message.kind === "code" ? (
        <CodeBlock language={message.language} text={message.text ?? ""} html={message.html} />
      ) : message.html ? (
        <div className={styles.rich} dangerouslySetInnerHTML={{ __html: message.html }} />
      ) : (
        <div className={styles.plain}>{message.text}</div>
      )}
    </Row>
  );
});

/** PendingItem is a message that this page sent and the server has not yet told of. */
export function PendingItem({ pending, id, name, again, discard }: { pending: Pending; id: string; name: string; again: () => void; discard: () => void }) {
  const { t, locale } = useTexts();
  return (
    <Row id={id} name={name} at={pending.at} head time={clock(pending.at, locale)} full={full(pending.at, locale)} pending={!pending.failed}>
      {pending.kind === "code" ? <CodeBlock language={pending.language} text={pending.text} /> : <div className={styles.plain}>{pending.text}</div>}
      {pending.failed ? (
        <div className={styles.failed} role="alert">
          {t.chat.notSent}: {pending.failed}
          <Button size="small" type="link" onClick={again}>
            {t.chat.tryAgain}
          </Button>
          <Button size="small" type="link" onClick={discard}>
            {t.chat.discard}
          </Button>
        </div>
      ) : (
        <span className={styles.sending}>{t.chat.sending}</span>
      )}
    </Row>
  );
}

function Row({ id, name, at, head, time, full: exact, pending, children }: { id: string; name: string; at: string; head: boolean; time: string; full: string; pending?: boolean; children: ReactNode }) {
  return (
    <article className={`${styles.message} ${head ? styles.withHead : ""} ${pending ? styles.pending : ""}`}>
      <div className={styles.gutter}>
        {head ? (
          <Avatar id={id} name={name} size={34} />
        ) : (
          <time className={styles.sideTime} dateTime={at} title={exact}>
            {time}
          </time>
        )}
      </div>
      <div className={styles.body}>
        {head && (
          <div className={styles.by}>
            <span className={styles.author}>{name}</span>
            <time className={styles.time} dateTime={at} title={exact}>
              {time}
            </time>
          </div>
        )}
        {children}
      </div>
    </article>
  );
}

function CodeBlock({ language, text, html }: { language?: string; text: string; html?: string }) {
  const { t } = useTexts();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1500);
  };
  return (
    <figure className={styles.code}>
      <figcaption className={styles.codeHead}>
        <span>{language || t.chat.plain}</span>
        {"clipboard" in navigator && <Button size="small" type="text" icon={copied ? <CheckOutlined /> : <CopyOutlined />} aria-label={copied ? t.shell.copied : t.shell.copy} onClick={() => void copy()} />}
      </figcaption>
      {html ? <div className={styles.codeText} dangerouslySetInnerHTML={{ __html: html }} /> : <pre className={styles.codeText}>{text}</pre>}
    </figure>
  );
}
