// Settings of this browser, and nothing else: no token, no message and no name of anybody is ever stored.

type Key = "locale" | "theme" | "last-channel";

/** read answers a stored setting; null where there is none or where the browser keeps nothing. */
export function read(key: Key): string | null {
  try {
    return localStorage.getItem(`rollcall.${key}`);
  } catch {
    return null;
  }
}

/** write stores a setting; null removes it. */
export function write(key: Key, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`rollcall.${key}`);
    else localStorage.setItem(`rollcall.${key}`, value);
  } catch {
    // A browser that keeps nothing is fine: the setting holds until the page is left.
  }
}
