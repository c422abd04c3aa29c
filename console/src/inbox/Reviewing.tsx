import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp } from "antd";
import { decideMine, myReviews, type Answer } from "../api/reviews";
import { useTexts } from "../i18n";
import { full } from "../i18n/time";
import { useMe } from "../session/session";
import { Section } from "../ui/page";
import { useProblemText } from "../ui/states";
import { ReviewLines } from "./ReviewLines";

/** Reviewing is whose places the reader is asked about; nothing where there is nothing. */
export function Reviewing() {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const me = useMe();
  const query = useQuery({ queryKey: ["inbox", "reviews"], queryFn: ({ signal }) => myReviews(signal), refetchInterval: 60_000 });
  const say = useMutation({
    mutationFn: ({ review, answers }: { review: string; answers: Answer[] }) => decideMine(review, answers),
    onSuccess: (_, { answers }) => void message.success(answers[0]?.decision === "keep" ? t.evidence.kept : t.evidence.removed),
    onError: (error) => void message.error(textOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["inbox"] }),
  });
  const data = query.data;
  if (!data || data.lines.length === 0) return null;
  return (
    <div style={{ marginBottom: 36 }}>
      {data.reviews.map((r) => (
        <Section key={r.id} title={t.evidence.mine} hint={`${t.evidence.silence[r.silence](full(r.ends_at, locale))} ${t.evidence.mineHint}`}>
          <ReviewLines review={r} lines={data.lines.filter((l) => l.review === r.id)} names={data.names} me={me.person?.id ?? ""} pending={say.isPending} answer={(answers) => say.mutateAsync({ review: r.id, answers })} />
        </Section>
      ))}
    </div>
  );
}
