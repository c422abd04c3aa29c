import { App as AntApp, Button } from "antd";
import { useEffect } from "react";
import { useMethods } from "../api/signin";
import { useTexts } from "../i18n";
import { Outside } from "./Outside";
import { signInPageURL, signInURL, type Ending } from "./rules";

/** EndedPage says honestly that the session is over. Nothing that was loaded is left behind it. */
export function EndedPage({ ending }: { ending: Ending }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const { methods } = useMethods();
  const again = methods?.password ? signInPageURL : signInURL;
  useEffect(() => {
    document.title = t.shell.product;
    message.destroy(); // what was announced a moment ago names channels
  }, [t, message]);
  const back = window.location.pathname + window.location.search;
  const texts = {
    access: { title: t.signin.ended, lead: t.signin.endedLead, hint: t.signin.endedHint },
    expired: { title: t.signin.expiredTitle, lead: t.signin.expiredLead, hint: "" },
    left: { title: t.signin.signedOut, lead: t.signin.signedOutLead, hint: "" },
  }[ending];
  return (
    <Outside title={texts.title} lead={texts.lead} tone={ending === "access" ? "bad" : undefined} hint={texts.hint}>
      <Button size="large" block type={ending === "expired" ? "primary" : "default"} href={again(ending === "expired" ? back : "/")}>
        {t.signin.again}
      </Button>
    </Outside>
  );
}
