import { Button } from "antd";
import type { Called } from "../../api/inbox";
import type { Review } from "../../api/reviews";
import { useTexts, word, type Locale, type Texts } from "../../i18n";
import { nameOf } from "../../inbox/words";

/** Forms are the forms in which one document can be had. */
export function Forms({ url, forms, disabled }: { url: (format: string) => string; forms: ("csv" | "json" | "signed" | "html")[]; disabled?: boolean }) {
  const { t } = useTexts();
  const called = { csv: "CSV", json: "JSON", signed: t.evidence.signed, html: t.evidence.print };
  return (
    <span style={{ display: "inline-flex", gap: 10, flexWrap: "wrap" }}>
      {forms.map((form) => (
        <Button key={form} disabled={disabled} data-form={form} {...(disabled ? {} : { href: url(form === "signed" ? "json" : form), target: form === "html" ? "_blank" : undefined, rel: "noreferrer" })}>
          {called[form]}
        </Button>
      ))}
    </span>
  );
}

/** reviewName says what a review is of. */
export function reviewName(t: Texts, locale: Locale, r: Review, names: Called): string {
  const of = r.about === "reason" ? word(t.evidence.kinds, r.ref ?? "") : r.ref ? nameOf(names, locale, r.ref) : "";
  return t.evidence.of(t.evidence.about[r.about], of);
}
