import { Segmented } from "antd";
import { useTexts, type Locale } from "../i18n";
import { useMode, type Choice } from "../theme/mode";
import styles from "./ui.module.css";

/** LanguageSwitch changes the language; each language is named in itself. */
export function LanguageSwitch() {
  const { t, locale, setLocale } = useTexts();
  return (
    <Segmented<Locale>
      size="small"
      aria-label={t.shell.language}
      value={locale}
      onChange={setLocale}
      options={[
        { value: "en", label: <span lang="en">English</span> },
        { value: "zh-CN", label: <span lang="zh-CN">中文</span> },
      ]}
    />
  );
}

/** ModeSwitch changes between light, dark and what the device says. */
export function ModeSwitch() {
  const { t } = useTexts();
  const { choice, choose } = useMode();
  return (
    <Segmented<Choice>
      size="small"
      aria-label={t.shell.appearance}
      value={choice}
      onChange={choose}
      options={[
        { value: "light", label: t.shell.light },
        { value: "dark", label: t.shell.dark },
        { value: "system", label: t.shell.system },
      ]}
    />
  );
}

/** Preferences are the settings of this browser. */
export function Preferences() {
  return (
    <div className={styles.preferences}>
      <LanguageSwitch />
      <ModeSwitch />
    </div>
  );
}
