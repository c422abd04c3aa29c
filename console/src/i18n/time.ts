import type { Locale } from "./types";

const minute = 60_000;
const day = 24 * 60 * minute;

/** known tells whether the server sent an instant at all: Go's zero time and "" are none. */
export const known = (at: string | null | undefined): at is string => !!at && !at.startsWith("0001-");

/** clock answers the time of day. */
export const clock = (at: string, locale: Locale) => new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(at));

/** date answers the day in words. */
export const date = (at: string, locale: Locale) => new Intl.DateTimeFormat(locale, { year: "numeric", month: "short", day: "numeric" }).format(new Date(at));

/** full answers day and time to the second. */
export const full = (at: string, locale: Locale) =>
  new Intl.DateTimeFormat(locale, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(at));

/** ago answers how long ago, or how far ahead; a date where that is far. */
export function ago(at: string, locale: Locale, now = Date.now()): string {
  const past = now - new Date(at).getTime();
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const distance = Math.abs(past);
  const sign = past < 0 ? 1 : -1;
  if (distance < minute) return words.format(0, "minute");
  if (distance < 60 * minute) return words.format(sign * Math.floor(distance / minute), "minute");
  if (distance < day) return words.format(sign * Math.floor(distance / (60 * minute)), "hour");
  if (distance < 14 * day) return words.format(sign * Math.floor(distance / day), "day");
  return date(at, locale);
}

/** dayOf answers the local day of an instant, to compare days. */
export const dayOf = (at: string) => new Date(at).toDateString();

/** dayWords answers "Today", "Yesterday" or the day. */
export function dayWords(at: string, locale: Locale, now = new Date()): string {
  const days = Math.round((new Date(now.toDateString()).getTime() - new Date(dayOf(at)).getTime()) / day);
  if (days === 0 || days === 1) {
    const word = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day");
    return word.charAt(0).toUpperCase() + word.slice(1);
  }
  const sameYear = new Date(at).getFullYear() === now.getFullYear();
  return new Intl.DateTimeFormat(locale, { year: sameYear ? undefined : "numeric", month: "long", day: "numeric", weekday: "long" }).format(new Date(at));
}
