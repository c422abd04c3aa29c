import { Segmented } from "antd";
import { useLocation } from "wouter";
import { useTexts } from "../../i18n";
import { Page } from "../../ui/page";
import { Audience } from "./Audience";
import { Explain } from "./Explain";

/** AccessPage answers the two questions: who sees this channel, and can this person see it. */
export default function AccessPage({ how }: { how: string }) {
  const { t } = useTexts();
  const [, go] = useLocation();
  const explain = how === "explain";
  return (
    <Page
      title={t.access.title}
      lead={t.access.lead}
      actions={
        <Segmented
          value={explain ? "explain" : "channel"}
          onChange={(v) => go(v === "explain" ? "/admin/access/explain" : "/admin/access")}
          options={[
            { value: "channel", label: t.access.byChannel },
            { value: "explain", label: t.access.byPerson },
          ]}
        />
      }
    >
      {explain ? <Explain /> : <Audience />}
    </Page>
  );
}
