package reviews

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
)

// Record is what an auditor is given of a review.
type Record struct {
	Review ReviewView `json:"review"`
	Lines  []LineView `json:"lines"`
	// Added are the places that came while the review ran, which it did not ask about.
	Added  []AddedView    `json:"added"`
	Counts map[string]int `json:"counts"` // by outcome; "open" without one
	Acts   []evidence.Act `json:"acts"`   // what the audit log says; each is cited
	Names  evidence.Names `json:"names"`  // what the people, groups and channels it names are called
}

// AddedView is a place that came after the beginning.
type AddedView struct {
	Membership id.Membership `json:"membership"`
	Person     id.Person     `json:"person"`
	Name       string        `json:"name"`
	Group      id.Group      `json:"group"`
	Role       string        `json:"role"`
	Since      time.Time     `json:"since"`
	Reasons    []string      `json:"reasons"`
}

// citedMost bounds the records of the audit log that one document cites.
const citedMost = 5000

// record answers a review as it stands.
func (e *Engine) record(ctx context.Context, review id.Review) (*Record, error) {
	r, err := e.Review(ctx, review)
	if err != nil {
		return nil, err
	}
	lines, err := e.Lines(ctx, review)
	if err != nil {
		return nil, err
	}
	now, _, err := e.Reactor.Population(ctx, r.populace())
	if err != nil {
		return nil, err
	}
	var people []id.Person
	under := map[id.Membership]bool{}
	for _, l := range lines {
		under[l.Membership] = true
		people = append(people, l.Person, l.Reviewer)
	}
	now = slices.DeleteFunc(now, func(m provisioning.Membership) bool {
		return under[m.ID] || !r.ClosedAt.IsZero() && m.Since.After(r.ClosedAt)
	})
	for _, m := range now {
		people = append(people, m.Person)
	}
	names, err := e.Directory.Names(ctx, people)
	if err != nil {
		return nil, err
	}
	out := &Record{Review: viewOf(r), Lines: []LineView{}, Added: []AddedView{}, Counts: map[string]int{}, Acts: []evidence.Act{}}
	subjects := []string{string(r.ID)}
	for _, l := range lines {
		out.Lines = append(out.Lines, lineView(l, r.Silence, names))
		subjects = append(subjects, string(l.Membership))
		if l.Outcome == "" {
			out.Counts["open"]++
		} else {
			out.Counts[l.Outcome]++
		}
	}
	for _, m := range now {
		view := AddedView{m.ID, m.Person, names[m.Person], m.Group, string(m.Role), m.Since, nil}
		_, view.Reasons = groundsOf(m, e.clock())
		out.Added = append(out.Added, view)
	}
	found, err := audit.About(ctx, e.DB, subjects, r.CreatedAt, 2*citedMost)
	for _, one := range found {
		ours := strings.HasPrefix(one.Action, "review.") || one.RequestID == string(r.ID)
		if ours && len(out.Acts) < citedMost {
			out.Acts = append(out.Acts, evidence.Act{Seq: one.Seq, At: one.At, Actor: one.Actor, Action: one.Action, Subject: one.Subject, Request: one.RequestID})
		}
	}
	if err != nil {
		return nil, err
	}
	ids := r.ids()
	for _, l := range lines {
		ids = append(ids, string(l.Group), l.DecidedBy)
	}
	for _, m := range now {
		ids = append(ids, string(m.Group))
	}
	out.Names, err = e.called(ctx, ids)
	return out, err
}

// ids answers what a review itself names.
func (r Review) ids() []string { return []string{r.Ref, string(r.Named), r.MadeBy} }

// called answers what these ids are called.
func (e *Engine) called(ctx context.Context, ids []string) (evidence.Names, error) {
	if e.Names == nil {
		return evidence.Names{}, nil
	}
	slices.Sort(ids)
	return e.Names(ctx, slices.Compact(ids))
}

// Document answers a review as it is given away, signed (json), as comma-separated values (csv) or as a page for printing (html). That it
// was given stands in the audit log.
func (e *Engine) Document(ctx context.Context, by string, review id.Review, format string, lang evidence.Lang) ([]byte, error) {
	record, err := e.record(ctx, review)
	if err != nil {
		return nil, err
	}
	cites := make([]int64, len(record.Acts))
	for i, a := range record.Acts {
		cites[i] = a.Seq
	}
	d, text, err := e.Evidence.Sign(ctx, by, evidence.KindReview, string(review), record, cites, format)
	if err != nil || format == "json" {
		return text, err
	}
	made, err := e.called(ctx, []string{by})
	if err != nil {
		return nil, err
	}
	maps.Copy(record.Names, made)
	var b bytes.Buffer
	if format == "html" {
		err = writePage(&b, lang, d, record)
		return b.Bytes(), err
	}
	p := evidence.NewPage(io.Discard, lang, "", "")
	b.WriteString(evidence.BOM)
	to := csv.NewWriter(&b)
	to.UseCRLF = true
	_ = to.Write([]string{"membership", "person", "name", "group", "role", "since", "reasons", "reviewer", "reviewer_name", "decision", "why", "decided_by", "decided_at", "outcome", "outcome_at", "group_name", "decided_by_name", "grounds"})
	for _, l := range record.Lines {
		_ = to.Write(evidence.Cells(string(l.Membership), string(l.Person), l.Name, string(l.Group), l.Role, evidence.Stamp(l.Since), strings.Join(l.Reasons, "; "), string(l.Reviewer), l.ReviewerName,
			l.Decision, l.Why, l.DecidedBy, evidence.Stamp(l.DecidedAt), l.Outcome, evidence.Stamp(l.OutcomeAt), p.Name(record.Names, string(l.Group)), p.Name(record.Names, l.DecidedBy), why(p, l.Grounds, nil)))
	}
	for _, a := range record.Added {
		_ = to.Write(evidence.Cells(string(a.Membership), string(a.Person), a.Name, string(a.Group), a.Role, evidence.Stamp(a.Since), strings.Join(a.Reasons, "; "), "", "", "", "", "", "", "added", "", p.Name(record.Names, string(a.Group)), "", ""))
	}
	to.Flush()
	return b.Bytes(), to.Error()
}

// of says what a review is of.
func of(p *evidence.Page, r *Record) string {
	name := p.Name(r.Names, r.Review.Ref)
	if r.Review.About == OfReason {
		name = p.Word(evidence.Reviews, name)
	}
	return strings.TrimSpace(p.Word(evidence.Reviews, r.Review.About) + " " + name)
}

// why says the reasons of a place; of a review that began before they were kept with since when, as they were.
func why(p *evidence.Page, grounds []Ground, plain []string) string {
	if len(grounds) == 0 {
		return strings.Join(plain, "; ")
	}
	texts := make([]string, len(grounds))
	for i, g := range grounds {
		texts[i] = p.Say(g.Text.EN, g.Text.ZH)
	}
	return strings.Join(texts, p.Say("; ", "；"))
}

func writePage(b *bytes.Buffer, lang evidence.Lang, d *evidence.Document, r *Record) error {
	p := evidence.NewPage(b, lang, "Access review", "访问复核")
	p.Facts([3]string{"Review", "复核", string(r.Review.ID)}, [3]string{"Of", "范围", of(p, r)}, [3]string{"Begun by", "发起人", p.Name(r.Names, r.Review.MadeBy)},
		[3]string{"Reviewers", "复核人", strings.TrimSpace(p.Word(evidence.Reviews, r.Review.Reviewer) + " " + p.Name(r.Names, string(r.Review.Named)))},
		[3]string{"Silence means", "未答复视为", p.Word(evidence.Reviews, r.Review.Silence)}, [3]string{"Population of", "名单时刻", evidence.Moment(r.Review.CreatedAt)},
		[3]string{"Answers until", "答复截止", evidence.Moment(r.Review.Until)}, [3]string{"Takes effect", "生效", evidence.Moment(r.Review.EndsAt)}, [3]string{"Closed", "结束", evidence.Moment(r.Review.ClosedAt)})
	p.Note("What a rule gives is not taken by silence or by a decision, because the rule would give it again: it is a finding for who answers for the policy.",
		"规则授予的资格不会因未答复或移除决定而被移除（规则会再次授予），而作为发现报告给策略负责人。")
	p.Section("Places", "成员资格")
	p.Table([2]string{"Name", "姓名"}, [2]string{"Group", "项目组"}, [2]string{"Role", "角色"}, [2]string{"Reasons, and since when", "理由及起始"}, [2]string{"Reviewer", "复核人"}, [2]string{"Decision", "决定"},
		[2]string{"Why", "说明"}, [2]string{"By", "决定者"}, [2]string{"At", "时间"}, [2]string{"Outcome", "结果"})
	for _, l := range r.Lines {
		p.Row(l.Name, p.Name(r.Names, string(l.Group)), p.Word(evidence.Roles, l.Role), why(p, l.Grounds, l.Reasons), l.ReviewerName, p.Word(evidence.Reviews, l.Decision), l.Why,
			p.Name(r.Names, l.DecidedBy), evidence.Moment(l.DecidedAt), p.Word(evidence.Reviews, l.Outcome))
	}
	p.Close()
	p.Section("Added during the review, and not asked about", "复核期间新增（未纳入复核）")
	p.Table([2]string{"Name", "姓名"}, [2]string{"Group", "项目组"}, [2]string{"Role", "角色"}, [2]string{"Since", "起"}, [2]string{"Reasons", "理由"})
	for _, a := range r.Added {
		p.Row(a.Name, p.Name(r.Names, string(a.Group)), p.Word(evidence.Roles, a.Role), evidence.Moment(a.Since), strings.Join(a.Reasons, "; "))
	}
	p.Close()
	p.Seal(d, r.Names)
	return p.End()
}
