package provisioning

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/policies"
)

// unknownMost bounds how much of a policy a plan says is not known.
const unknownMost = 200

// Unknown is something that a policy names and no directory knows now. It may come: until then it gives nothing, or nobody decides by it.
type Unknown struct {
	Kind       policies.MentionKind `json:"kind" enum:"unit,group,person,approver,successor"`
	Name       string               `json:"name"`
	DidYouMean string               `json:"did_you_mean,omitempty" doc:"what is known and differs by a slip of the hand"`
	File       string               `json:"file"`
	Line       int                  `json:"line"`
	Column     int                  `json:"column"`
	Text       string               `json:"text" doc:"all of it as one line, in English"`
}

// unknown answers what a policy names and the directory does not know, as tx sees it, the first unknownMost.
func (r *Reactor) unknown(ctx context.Context, tx *db.Tx, policy *policies.Policy) ([]Unknown, error) {
	mentions := policy.Mentions()
	if len(mentions) == 0 {
		return nil, nil
	}
	in := r.directory.In(tx)
	units, err := in.UnitWords(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := in.GroupWords(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range mentions {
		if m.Kind != policies.MentionUnit && m.Kind != policies.MentionGroup {
			names = append(names, m.Value)
		}
	}
	people, err := in.Known(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []Unknown
	for _, m := range mentions {
		known, what, words := people[m.Value], "nobody has the employee number, user name or id %q", []string(nil) // what people are called is not told by guessing
		switch m.Kind {
		case policies.MentionUnit:
			known, what, words = slices.Contains(units, m.Value), "no unit has the key or the name %q", units
		case policies.MentionGroup:
			known, what, words = slices.Contains(groups, m.Value), "no source has the group %q", groups
		case policies.MentionApprover:
			what = "nobody has the employee number or user name %q, so nobody decides by it"
		case policies.MentionSuccessor:
			what = "nobody has the employee number or user name %q, so nobody succeeds by it"
		}
		if known || len(out) == unknownMost {
			continue
		}
		u := Unknown{Kind: m.Kind, Name: m.Value, DidYouMean: policies.DidYouMean(m.Value, words), File: m.File, Line: m.Line, Column: m.Column}
		at := &policies.SyntaxError{File: m.File, Line: m.Line, Column: m.Column, Message: fmt.Sprintf(what, m.Value)}
		if u.DidYouMean != "" {
			at.Hint = fmt.Sprintf("did you mean %q?", u.DidYouMean)
		}
		u.Text = at.Error()
		out = append(out, u)
	}
	return out, nil
}
