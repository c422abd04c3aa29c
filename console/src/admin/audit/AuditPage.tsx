import { useInfiniteQuery } from "@tanstack/react-query";
import { audit } from "../../api/audit";
import { useTexts } from "../../i18n";
import { Page } from "../../ui/page";
import { Loaded, More } from "../../ui/states";
import { AuditLines } from "./AuditLines";

/** AuditPage is the whole log, newest first. */
export default function AuditPage() {
  const { t } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: ({ pageParam, signal }) => audit({ limit: 50, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
  return (
    <Page title={t.audit.title} lead={t.audit.lead}>
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
