import { SendOutlined } from "@ant-design/icons";
import { Button, Segmented, Select } from "antd";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import type { Draft, MessageKind } from "../api/chat";
import { useTexts } from "../i18n";
import { GrowingText } from "../ui/GrowingText";
import styles from "./chat.module.css";
import { languages } from "./languages";

/** clientID makes the id under which a message is sent, however often it is tried. */
export function clientID(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // randomUUID exists in secure contexts only
  return `c_${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}`;
}

// What is half written survives a change of channel, in memory only.
const drafts = new Map<string, { kind: MessageKind; language: string; text: string }>();

/** forgetDrafts drops what is half written: of a channel whose access ended, or all when chat is left. */
export const forgetDrafts = (channel?: string) => (channel ? void drafts.delete(channel) : drafts.clear());

/** Composer is where one writes: text (markdown) or code in a language. */
export function Composer({ name, channel, send }: { name: string; channel: string; send: (draft: Draft) => void }) {
  const { t } = useTexts();
  const [{ kind, language, text }, setDraft] = useState(() => drafts.get(channel) ?? { kind: "text" as MessageKind, language: "go", text: "" });
  const form = useRef<HTMLFormElement>(null);
  const focus = () => form.current?.querySelector("textarea")?.focus();
  const code = kind === "code";

  useEffect(() => {
    drafts.set(channel, { kind, language, text });
  }, [channel, kind, language, text]);
  useEffect(() => {
    if (window.matchMedia("(hover: hover)").matches) form.current?.querySelector("textarea")?.focus();
  }, [kind]);

  const update = (more: Partial<{ kind: MessageKind; language: string; text: string }>) => setDraft((d) => ({ ...d, ...more }));
  const submit = () => {
    const body = code ? text.replace(/\s+$/, "") : text.trim();
    if (!body) return;
    send({ client_id: clientID(), kind, text: body, ...(code && language ? { language } : {}) });
    update({ text: "" });
    focus();
  };
  const key = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || e.nativeEvent.isComposing) return; // Enter ends the input of a Chinese word
    if (code ? e.ctrlKey || e.metaKey : !e.shiftKey) {
      e.preventDefault();
      submit();
    }
  };

  return (
    <form
      ref={form}
      className={styles.composer}
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <div className={styles.box}>
        <GrowingText
          className={code ? styles.codeInput : undefined}
          rows={code ? 4 : 1}
          most={14}
          value={text}
          placeholder={code ? t.chat.writeCode : t.chat.write(name)}
          aria-label={code ? t.chat.writeCode : t.chat.write(name)}
          spellCheck={!code}
          onChange={(e) => update({ text: e.target.value })}
          onKeyDown={key}
        />
        <div className={styles.tools}>
          <Segmented<MessageKind>
            size="small"
            value={kind}
            onChange={(k) => update({ kind: k })}
            options={[
              { value: "text", label: t.chat.text },
              { value: "code", label: t.chat.code },
            ]}
          />
          {code && <Select size="small" showSearch variant="filled" className={styles.language} aria-label={t.chat.language} value={language} onChange={(l: string) => update({ language: l })} options={[{ value: "", label: t.chat.plain }, ...languages]} />}
          <span className={styles.hint}>{code ? t.chat.sendHintCode : t.chat.sendHint}</span>
          <Button type="primary" htmlType="submit" icon={<SendOutlined />} disabled={!text.trim()} aria-label={t.chat.send} />
        </div>
      </div>
    </form>
  );
}
