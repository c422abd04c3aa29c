import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";
import { read, write } from "../session/stored";
import { en } from "./en";
import type { Locale, Texts } from "./types";
import { zhCN } from "./zh-CN";

export type { Locale, Names, Texts } from "./types";
export { nameIn, word } from "./types";

const texts: Record<Locale, Texts> = { en, "zh-CN": zhCN };

/** preferred answers the locale that was chosen before, else the browser's. */
export function preferred(stored: string | null, languages: readonly string[]): Locale {
  if (stored === "en" || stored === "zh-CN") return stored;
  for (const language of languages) {
    if (/^zh\b/i.test(language)) return "zh-CN";
    if (/^en\b/i.test(language)) return "en";
  }
  return "en";
}

type Value = { locale: Locale; t: Texts; setLocale: (l: Locale) => void };

const LocaleContext = createContext<Value>({ locale: "en", t: en, setLocale: () => {} });

/** useTexts answers the texts of the chosen language. */
export const useTexts = () => use(LocaleContext);

/** asked answers the language that an address asks for by ?lang=zh or ?lang=en, and keeps it as chosen. */
function asked(): string | null {
  const lang = new URLSearchParams(location.search).get("lang");
  const locale: Locale | null = lang === "en" ? "en" : lang === "zh" || lang === "zh-CN" ? "zh-CN" : null;
  if (locale !== null) write("locale", locale);
  return locale;
}

/** LocaleProvider holds the language: the browser's, or the one that was chosen. */
export function LocaleProvider({ children }: { children: ReactNode }) {
  const [locale, setLocale] = useState<Locale>(() => preferred(asked() ?? read("locale"), navigator.languages));
  useEffect(() => {
    document.documentElement.lang = locale;
  }, [locale]);
  const value = useMemo<Value>(
    () => ({
      locale,
      t: texts[locale],
      setLocale: (l) => {
        write("locale", l);
        setLocale(l);
      },
    }),
    [locale],
  );
  return <LocaleContext value={value}>{children}</LocaleContext>;
}
