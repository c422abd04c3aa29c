package reviews

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
)

// API is the HTTP side of this package.
type API struct{ Engine *Engine }

// ReviewView is one review in an answer.
type ReviewView struct {
	ID        id.Review `json:"id"`
	About     string    `json:"about" doc:"group, channel, reason or outside"`
	Ref       string    `json:"ref,omitempty" doc:"the group, the channel or the kind of reason"`
	Reviewer  string    `json:"reviewer" doc:"owner, manager or person"`
	Named     id.Person `json:"named,omitempty"`
	Silence   string    `json:"silence" doc:"what no answer means: remove or keep"`
	MadeBy    string    `json:"made_by"`
	CreatedAt time.Time `json:"created_at" doc:"the population is that of this instant"`
	Until     time.Time `json:"until"`
	EndsAt    time.Time `json:"ends_at" doc:"when silence is an answer, and everything takes effect"`
	ClosedAt  time.Time `json:"closed_at,omitzero"`
}

func viewOf(r Review) ReviewView {
	return ReviewView(r)
}

// LineView is one place under review.
type LineView struct {
	Review       id.Review     `json:"review"`
	Membership   id.Membership `json:"membership"`
	Person       id.Person     `json:"person"`
	Name         string        `json:"name"`
	Group        id.Group      `json:"group"`
	Role         string        `json:"role"`
	Since        time.Time     `json:"since"`
	Reasons      []string      `json:"reasons"`
	Grounds      []Ground      `json:"grounds" doc:"the reasons, and since when; none of a review that began before they were kept"`
	OnSilence    string        `json:"on_silence" enum:"keep,remove,finding" doc:"what no answer means; finding: it is to be taken, and a rule would give it again, so that it stays and is reported"`
	Reviewer     id.Person     `json:"reviewer,omitempty" doc:"absent: the administrators"`
	ReviewerName string        `json:"reviewer_name,omitempty"`
	Decision     string        `json:"decision,omitempty"`
	Why          string        `json:"why,omitempty"`
	DecidedBy    string        `json:"decided_by,omitempty" doc:"silence: nobody did"`
	DecidedAt    time.Time     `json:"decided_at,omitzero"`
	Outcome      string        `json:"outcome,omitempty" doc:"kept, removed, finding (a rule gives the place), held (by the guard) or gone"`
	OutcomeAt    time.Time     `json:"outcome_at,omitzero"`
}

// Ground is one reason of a place, as it was when the review began.
type Ground struct {
	Kind    string            `json:"kind"`
	Ref     string            `json:"ref,omitempty"`
	Role    string            `json:"role"`
	Version int64             `json:"policy_version,omitempty"`
	Since   time.Time         `json:"since"`
	Until   time.Time         `json:"until,omitzero"`
	Text    provisioning.Text `json:"text"`
}

func lineView(l Line, silence string, names map[id.Person]string) LineView {
	grounds := []Ground{}
	for _, v := range provisioning.ViewsOf(l.Grounds) {
		grounds = append(grounds, Ground{string(v.Kind), v.Ref, string(v.Role), v.PolicyVersion, v.Since, v.Until, v.Text})
	}
	return LineView{l.Review, l.Membership, l.Person, names[l.Person], l.Group, string(l.Role), l.Since, l.Reasons, grounds, l.silent(silence), l.Reviewer, names[l.Reviewer],
		l.Decision, l.Why, l.DecidedBy, l.DecidedAt, l.Outcome, l.OutcomeAt}
}

// ReviewsOutput answers reviews.
type ReviewsOutput struct {
	Body struct {
		Items []ReviewView   `json:"items" nullable:"false"`
		Names evidence.Names `json:"names" doc:"what groups, channels and people are called, by language"`
	}
}

// List answers GET /api/v1/reviews: the newest first.
func (a *API) List(ctx context.Context, _ *struct{}) (*ReviewsOutput, error) {
	list, err := a.Engine.List(ctx)
	out := &ReviewsOutput{}
	out.Body.Items = make([]ReviewView, len(list))
	for i, r := range list {
		out.Body.Items[i] = viewOf(r)
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range list {
		ids = append(ids, r.ids()...)
	}
	out.Body.Names, err = a.Engine.called(ctx, ids)
	return out, err
}

// BeginInput says what a review is of, who is asked, and until when.
type BeginInput struct {
	Body struct {
		About    string    `json:"about" enum:"group,channel,reason,outside"`
		Ref      string    `json:"ref,omitempty" maxLength:"64"`
		Reviewer string    `json:"reviewer" enum:"owner,manager,person"`
		Named    id.Person `json:"named,omitempty"`
		Silence  string    `json:"silence,omitempty" enum:"remove,keep" default:"remove"`
		Until    time.Time `json:"until"`
		EndsAt   time.Time `json:"ends_at" doc:"until, and a time of grace"`
	}
}

// ReviewOutput answers one review.
type ReviewOutput struct {
	Body struct {
		ReviewView
		Names evidence.Names `json:"names" doc:"what the group, channel and people it names are called, by language"`
	}
}

// Begin answers POST /api/v1/reviews.
func (a *API) Begin(ctx context.Context, in *BeginInput) (*ReviewOutput, error) {
	b := in.Body
	if b.Silence == "" {
		b.Silence = Remove
	}
	r, err := a.Engine.Begin(ctx, httpapi.CallerFrom(ctx).Actor(), Review{About: b.About, Ref: b.Ref, Reviewer: b.Reviewer, Named: b.Named, Silence: b.Silence,
		Until: b.Until.UTC().Truncate(time.Microsecond), EndsAt: b.EndsAt.UTC().Truncate(time.Microsecond)})
	if err != nil {
		return nil, err
	}
	out := &ReviewOutput{}
	out.Body.ReviewView = viewOf(r)
	out.Body.Names, err = a.Engine.called(ctx, r.ids())
	return out, err
}

// ReviewInput names a review in the path.
type ReviewInput struct {
	ID id.Review `path:"id"`
}

// RecordOutput answers a review with its lines.
type RecordOutput struct{ Body Record }

// Show answers GET /api/v1/reviews/{id}.
func (a *API) Show(ctx context.Context, in *ReviewInput) (*RecordOutput, error) {
	r, err := a.Engine.record(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &RecordOutput{*r}, nil
}

// DocumentInput says how the evidence of a review is wanted.
type DocumentInput struct {
	ID     id.Review     `path:"id"`
	Format string        `query:"format" enum:"json,csv,html" default:"json" doc:"json is signed"`
	Lang   evidence.Lang `query:"lang" enum:"en,zh-CN" default:"en"`
}

// Document answers GET /api/v1/reviews/{id}/evidence.
func (a *API) Document(ctx context.Context, in *DocumentInput) (*evidence.FileOutput, error) {
	text, err := a.Engine.Document(ctx, httpapi.CallerFrom(ctx).Actor(), in.ID, in.Format, in.Lang)
	if err != nil {
		return nil, err
	}
	return evidence.File("review-"+string(in.ID), in.Format, text), nil
}

// DecideInput says what is decided.
type DecideInput struct {
	ID   id.Review `path:"id"`
	Body struct {
		Answers []struct {
			Membership id.Membership `json:"membership"`
			Decision   string        `json:"decision" enum:"keep,remove"`
			Why        string        `json:"why,omitempty" maxLength:"2000" doc:"of keep: needed"`
		} `json:"answers" minItems:"1" maxItems:"500"`
	}
}

func (a *API) decide(ctx context.Context, in *DecideInput, admin bool) (*struct{}, error) {
	caller := httpapi.CallerFrom(ctx)
	var answers []Answer
	for _, one := range in.Body.Answers {
		answers = append(answers, Answer{one.Membership, one.Decision, one.Why})
	}
	return nil, a.Engine.Decide(ctx, caller.Behind(), caller.Actor(), admin, in.ID, answers)
}

// Decide answers POST /api/v1/reviews/{id}/decide: an administrator, about any line but their own.
func (a *API) Decide(ctx context.Context, in *DecideInput) (*struct{}, error) {
	return a.decide(ctx, in, true)
}

// DecideMine answers POST /api/v1/me/reviews/{id}/decide: a reviewer.
func (a *API) DecideMine(ctx context.Context, in *DecideInput) (*struct{}, error) {
	return a.decide(ctx, in, false)
}

// MineOutput answers what a reviewer is asked about.
type MineOutput struct {
	Body struct {
		Reviews []ReviewView   `json:"reviews" nullable:"false"`
		Lines   []LineView     `json:"lines" nullable:"false"`
		Names   evidence.Names `json:"names" doc:"what groups, channels and people are called, by language"`
	}
}

// Mine answers GET /api/v1/me/reviews: the lines of open reviews that the caller is asked about.
func (a *API) Mine(ctx context.Context, _ *struct{}) (*MineOutput, error) {
	lines, err := a.Engine.For(ctx, httpapi.CallerFrom(ctx).Person)
	if err != nil {
		return nil, err
	}
	out := &MineOutput{}
	out.Body.Reviews, out.Body.Lines = []ReviewView{}, []LineView{}
	var people []id.Person
	named, known := map[string]bool{}, map[id.Review]Review{}
	for _, l := range lines {
		people = append(people, l.Person, l.Reviewer)
		named[string(l.Group)] = true
		if _, twice := known[l.Review]; twice {
			continue
		}
		r, err := a.Engine.Review(ctx, l.Review)
		if err != nil {
			return nil, err
		}
		known[l.Review] = r
		for _, one := range r.ids() {
			named[one] = true
		}
		out.Body.Reviews = append(out.Body.Reviews, viewOf(r))
	}
	names, err := a.Engine.Directory.Names(ctx, people)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		out.Body.Lines = append(out.Body.Lines, lineView(l, known[l.Review].Silence, names))
	}
	out.Body.Names, err = a.Engine.called(ctx, slices.Collect(maps.Keys(named)))
	return out, err
}
