import { Alert, Button, Divider } from "antd";
import { useMemo, useState } from "react";
import { useSearchParams } from "wouter";
import { useMethods } from "../api/signin";
import { useTexts, word } from "../i18n";
import { Outside } from "./Outside";
import { PasswordForm } from "./PasswordForm";
import { signInURL } from "./rules";

/** SignInPage asks for a password, leads to the identity provider, or both, and says why an earlier try was refused. */
export function SignInPage({ back }: { back?: string }) {
  const { t } = useTexts();
  const [query] = useSearchParams();
  const { methods } = useMethods();
  const [tried, setTried] = useState<string | null>(null);
  const refusal = tried ?? query.get("error");
  const returnTo = back ?? query.get("return");
  const target = useMemo(() => signInURL(returnTo), [returnTo]);
  const left = query.get("signed_out") !== null && !refusal;
  const reason = refusal ? word(t.signin.errors, refusal) : "";
  return (
    <Outside title={left ? t.signin.signedOut : t.signin.title} lead={left ? t.signin.signedOutLead : t.signin.lead}>
      {refusal && <Alert type="error" showIcon title={t.signin.refused} description={reason === refusal ? t.signin.other(refusal) : reason} />}
      {methods?.password && <PasswordForm back={returnTo} refused={setTried} />}
      {methods?.password && methods.oidc && <Divider plain>{t.signin.or}</Divider>}
      {methods && (methods.oidc || !methods.password) && (
        <Button type={left || methods.password ? "default" : "primary"} size="large" block href={target}>
          {methods.password ? t.signin.providerButton : left || refusal ? t.signin.again : t.signin.button}
        </Button>
      )}
    </Outside>
  );
}
