package reviews

import (
	"bytes"
	"context"
	"encoding/csv"
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
		out.Lines = append(out.Lines, lineView(l, names))
		subjects = append(subjects, string(l.Membership))
		if l.Outcome == "" {
			out.Counts["open"]++
		} else {
			out.Counts[l.Outcome]++
		}
	}
	for _, m := range now {
		view := AddedView{m.ID, m.Person, names[m.Person], m.Group, string(m.Role), m.Since, []string{}}
		for _, reason := range m.Reasons {
			view.Reasons = append(view.Reasons, reason.String())
		}
		out.Added = append(out.Added, view)
	}
	found, err := audit.About(ctx, e.DB, subjects, r.CreatedAt, 2*citedMost)
	for _, one := range found {
		ours := strings.HasPrefix(one.Action, "review.") || one.RequestID == string(r.ID)
		if ours && len(out.Acts) < citedMost {
			out.Acts = append(out.Acts, evidence.Act{Seq: one.Seq, At: one.At, Actor: one.Actor, Action: one.Action, Subject: one.Subject, Request: one.RequestID})
		}
	}
	return out, err
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
	var b bytes.Buffer
	if format == "html" {
		err = writePage(&b, lang, d, record)
		return b.Bytes(), err
	}
	b.WriteString(evidence.BOM)
	to := csv.NewWriter(&b)
	to.UseCRLF = true
	_ = to.Write([]string{"membership", "person", "name", "group", "role", "since", "reasons", "reviewer", "reviewer_name", "decision", "why", "decided_by", "decided_at", "outcome", "outcome_at"})
	for _, l := range record.Lines {
		_ = to.Write(evidence.Cells(string(l.Membership), string(l.Person), l.Name, string(l.Group), l.Role, evidence.Stamp(l.Since), strings.Join(l.Reasons, "; "), string(l.Reviewer), l.ReviewerName,
			l.Decision, l.Why, l.DecidedBy, evidence.Stamp(l.DecidedAt), l.Outcome, evidence.Stamp(l.OutcomeAt)))
	}
	for _, a := range record.Added {
		_ = to.Write(evidence.Cells(string(a.Membership), string(a.Person), a.Name, string(a.Group), a.Role, evidence.Stamp(a.Since), strings.Join(a.Reasons, "; "), "", "", "", "", "", "", "added", ""))
	}
	to.Flush()
	return b.Bytes(), to.Error()
}

func writePage(b *bytes.Buffer, lang evidence.Lang, d *evidence.Document, r *Record) error {
	p := evidence.NewPage(b, lang, "Access review", "访问复核")
	p.Facts([3]string{"Review", "复核", string(r.Review.ID)}, [3]string{"Of", "范围", strings.TrimSpace(r.Review.About + " " + r.Review.Ref)}, [3]string{"Reviewers", "复核人", r.Review.Reviewer},
		[3]string{"Silence means", "未答复视为", r.Review.Silence}, [3]string{"Population of", "名单时刻", evidence.Moment(r.Review.CreatedAt)},
		[3]string{"Answers until", "答复截止", evidence.Moment(r.Review.Until)}, [3]string{"Takes effect", "生效", evidence.Moment(r.Review.EndsAt)}, [3]string{"Closed", "结束", evidence.Moment(r.Review.ClosedAt)})
	p.Section("Places", "成员资格")
	p.Table([2]string{"Name", "姓名"}, [2]string{"Group", "项目组"}, [2]string{"Role", "角色"}, [2]string{"Reasons", "理由"}, [2]string{"Reviewer", "复核人"}, [2]string{"Decision", "决定"},
		[2]string{"Why", "说明"}, [2]string{"By", "决定者"}, [2]string{"At", "时间"}, [2]string{"Outcome", "结果"})
	for _, l := range r.Lines {
		p.Row(l.Name, string(l.Group), l.Role, strings.Join(l.Reasons, "; "), l.ReviewerName, l.Decision, l.Why, l.DecidedBy, evidence.Moment(l.DecidedAt), l.Outcome)
	}
	p.Close()
	p.Section("Added during the review, and not asked about", "复核期间新增（未纳入复核）")
	p.Table([2]string{"Name", "姓名"}, [2]string{"Group", "项目组"}, [2]string{"Role", "角色"}, [2]string{"Since", "起"}, [2]string{"Reasons", "理由"})
	for _, a := range r.Added {
		p.Row(a.Name, string(a.Group), a.Role, evidence.Moment(a.Since), strings.Join(a.Reasons, "; "))
	}
	p.Close()
	p.Seal(d)
	return p.End()
}
