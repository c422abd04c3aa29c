/** initials answers the letters of an avatar: two capitals of a Latin name, the last two characters of a Chinese one. */
export function initials(name: string): string {
  const clean = name.trim();
  if (!clean) return "?";
  const han = clean.match(/\p{Script=Han}/gu);
  if (han) return han.slice(-2).join("");
  const words = clean.split(/[\s._-]+/).filter(Boolean);
  const first = [...(words[0] ?? "")][0] ?? "?";
  const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  return (first + last).toUpperCase();
}
