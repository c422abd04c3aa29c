import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Segmented } from "antd";
import { useState } from "react";
import { Link } from "wouter";
import { decideAny, documentURL, review, type Answer, type Whole } from "../../api/reviews";
import { useTexts, word } from "../../i18n";
import { full } from "../../i18n/time";
import { ReviewLines } from "../../inbox/ReviewLines";
import { nameOf } from "../../inbox/words";
import { mayEverywhere } from "../../session/rules";
import { useMe } from "../../session/session";
import { Card, Page, Section } from "../../ui/page";
import { Empty, Loaded, useProblemText } from "../../ui/states";
import styles from "../admin.module.css";
import { Forms, reviewName } from "./Forms";

/** ReviewPage is one access review: every place with its reasons, what was said about it, and what became of it. */
export default function ReviewPage({ id }: { id: string }) {
  const { t, locale } = useTexts();
  const query = useQuery({ queryKey: ["reviews", id], queryFn: ({ signal }) => review(id, signal), refetchInterval: 60_000 });
  const data = query.data;
  return (
    <Page
      title={data ? reviewName(t, locale, data.review, data.names) : t.evidence.reviews}
      lead={data && (data.review.closed_at ? t.evidence.closed(full(data.review.closed_at, locale)) : t.evidence.silence[data.review.silence](full(data.review.ends_at, locale)))}
      actions={<Forms url={(format) => documentURL(`/reviews/${encodeURIComponent(id)}/evidence`, { format, lang: locale })} forms={["signed", "csv", "html"]} />}
      above={
        <Link className={styles.back} href="/admin/evidence">
          ‹ {t.evidence.title}
        </Link>
      }
    >
      <Loaded query={query}>{(whole) => <Lines whole={whole} />}</Loaded>
    </Page>
  );
}

function Lines({ whole }: { whole: Whole }) {
  const { t, locale } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const queries = useQueryClient();
  const me = useMe();
  const [only, setOnly] = useState<"all" | "open">("all");
  const say = useMutation({
    mutationFn: (answers: Answer[]) => decideAny(whole.review.id, answers),
    onSuccess: (_, answers) => void message.success(answers[0]?.decision === "keep" ? t.evidence.kept : t.evidence.removed),
    onError: (error) => void message.error(textOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["reviews"] }),
  });
  const lines = only === "all" ? whole.lines : whole.lines.filter((l) => !l.decision && !l.outcome);
  return (
    <>
      <Section
        title={t.evidence.places}
        hint={t.evidence.ruledHint}
        more={
          !whole.review.closed_at && (
            <Segmented
              value={only}
              onChange={setOnly}
              options={[
                { value: "all", label: t.evidence.all },
                { value: "open", label: t.evidence.unanswered },
              ]}
            />
          )
        }
      >
        <ReviewLines whole review={whole.review} lines={lines} names={whole.names} me={me.person?.id ?? ""} pending={say.isPending} answer={!whole.review.closed_at && mayEverywhere(me, "reviews.write") ? (answers) => say.mutateAsync(answers) : undefined} />
      </Section>
      <Section title={t.evidence.added} hint={t.evidence.addedHint}>
        <Card rows={whole.added.length > 0}>
          {whole.added.length === 0 && <Empty title={t.evidence.noneAdded} />}
          {whole.added.map((a) => (
            <div key={a.membership} className={styles.line}>
              <span className={styles.lineText}>
                <span className={styles.strong}>{a.name || a.person}</span>{" "}
                <span className={styles.small}>
                  {nameOf(whole.names, locale, a.group)} · {word(t.words.role, a.role)} · {t.words.since(full(a.since, locale))}
                </span>
              </span>
            </div>
          ))}
        </Card>
      </Section>
    </>
  );
}
