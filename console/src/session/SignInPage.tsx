import { Alert, Button } from "antd";
import { useMemo } from "react";
import { useSearchParams } from "wouter";
import { useTexts, word } from "../i18n";
import { Outside } from "./Outside";
import { signInURL } from "./rules";

/** SignInPage has one button, and says why an earlier try was refused. */
export function SignInPage({ back }: { back?: string }) {
  const { t } = useTexts();
  const [query] = useSearchParams();
  const refusal = query.get("error");
  const target = useMemo(() => signInURL(back ?? query.get("return")), [back, query]);
  const left = query.get("signed_out") !== null && !refusal;
  const reason = refusal ? word(t.signin.errors, refusal) : "";
  return (
    <Outside title={left ? t.signin.signedOut : t.signin.title} lead={left ? t.signin.signedOutLead : t.signin.lead}>
      {refusal && <Alert type="error" showIcon title={t.signin.refused} description={reason === refusal ? t.signin.other(refusal) : reason} />}
      <Button type={left ? "default" : "primary"} size="large" block href={target}>
        {left || refusal ? t.signin.again : t.signin.button}
      </Button>
    </Outside>
  );
}
