import { useInfiniteQuery } from "@tanstack/react-query";
import { Checkbox } from "antd";
import { useState } from "react";
import { audit, looked } from "../../api/audit";
import { useTexts } from "../../i18n";
import { Page } from "../../ui/page";
import { Loaded, More } from "../../ui/states";
import { AuditLines } from "./AuditLines";
import { Outlets } from "./Outlets";

/** AuditPage is where the log is carried to, and the log, newest first. */
export default function AuditPage() {
  const { t } = useTexts();
  const [looks, setLooks] = useState(false);
  const query = useInfiniteQuery({
    queryKey: ["audit", looks],
    queryFn: ({ pageParam, signal }) => audit({ limit: 50, cursor: pageParam, without: looks ? undefined : looked }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
  return (
    <Page
      title={t.audit.title}
      lead={t.audit.lead}
      actions={
        <Checkbox checked={looks} onChange={(e) => setLooks(e.target.checked)} data-show-looks>
          {t.audit.showLooks}
        </Checkbox>
      }
    >
      <Outlets />
      <Loaded query={query}>
        {(data) => (
          <>
            <AuditLines records={data.pages.flatMap((p) => p.items)} />
            <More query={query} />
          </>
        )}
      </Loaded>
    </Page>
  );
}
