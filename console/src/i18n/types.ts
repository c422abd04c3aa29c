import type { en } from "./en";

export type Locale = "en" | "zh-CN";

/** Texts is the shape of every language: what English has, each has. */
export type Texts = typeof en;

/** Names is a thing's name in several languages, as the server sends it. */
export type Names = Record<string, string | undefined>;

/** nameIn answers the name in a language, or in another one, or the fallback (a key). */
export function nameIn(locale: Locale, names: Names | string | null | undefined, fallback = ""): string {
  if (typeof names === "string") return names || fallback;
  if (!names) return fallback;
  const short = locale === "zh-CN" ? "zh" : "en";
  return names[locale] || names[short] || names["en"] || names["zh"] || Object.values(names).find(Boolean) || fallback;
}

/** word answers the word for a code of the server; the code itself where there is none. */
export function word(table: Record<string, string>, code: string | null | undefined): string {
  if (!code) return "";
  return Object.hasOwn(table, code) ? (table[code] ?? code) : code;
}
