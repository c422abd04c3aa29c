import { useQuery } from "@tanstack/react-query";
import { policy, sourceText, type PolicyVersion } from "../../api/policies";
import { useTexts } from "../../i18n";
import { Card } from "../../ui/page";
import { Empty, Failure, Loading } from "../../ui/states";
import { Yaml } from "./Yaml";

/** useText answers the text of a version: as it came with the list, else asked for by itself. */
export function useText(version: PolicyVersion | undefined) {
  const inList = version ? sourceText(version.source) : "";
  const query = useQuery({ queryKey: ["policies", version?.version], queryFn: ({ signal }) => policy(version?.version ?? 0, signal), enabled: inList === undefined });
  return { text: inList ?? sourceText(query.data?.source), loading: inList === undefined && query.isPending, error: query.error };
}

/** TextOf is the text of a version. */
export function TextOf({ version }: { version: PolicyVersion }) {
  const { t } = useTexts();
  const { text, loading, error } = useText(version);
  if (loading) return <Loading />;
  if (error) return <Failure error={error} />;
  return <Card>{text === undefined ? <Empty title={t.policies.noText} /> : <Yaml text={text} />}</Card>;
}
