package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

// Who signs in is found among people, not among what a source in its dry run has sent: a staged record neither lets anybody in nor makes
// somebody ambiguous.
func TestSignInIgnoresADryRun(t *testing.T) {
	b := newBench(t, db.SQLite)
	b.app.cfg.OIDC.Claim, b.app.cfg.OIDC.Match, b.app.cfg.OIDC.Source = "sub", "external_id", ""
	record := func(source id.Source, external string) directory.Record {
		t.Helper()
		applied, err := b.app.people.Apply(t.Context(), directory.Cause{Source: source},
			directory.CreateRecord{Record: directory.Record{Source: source, UserName: "u" + external, ExternalID: external, Active: true}})
		if err != nil {
			t.Fatal(err)
		}
		return applied.Records[0]
	}
	hr, err := b.app.people.SourceByName(t.Context(), "hr")
	if err != nil {
		t.Fatal(err)
	}
	okta, err := b.app.people.CreateSource(t.Context(), directory.Cause{}, directory.Source{Name: "okta", Kind: directory.KindSCIM, Mode: directory.ModeDryRun})
	if err != nil {
		t.Fatal(err)
	}
	known := record(hr.ID, "both")
	record(okta.ID, "both")
	record(okta.ID, "staged")
	if p, err := b.app.resolve(t.Context(), session.Claims{All: map[string]any{"sub": "both"}}); err != nil || p != known.Person {
		t.Errorf("known and staged: %q, %v", p, err)
	}
	if p, err := b.app.resolve(t.Context(), session.Claims{All: map[string]any{"sub": "staged"}}); !errors.Is(err, session.ErrNoPerson) || p != "" {
		t.Errorf("staged only: %q, %v", p, err)
	}
}

// A preview is readable: the counts in words, then a line for each record.
func TestPreviewTable(t *testing.T) {
	var p preview
	p.Source.Name, p.Hash, p.Next = "okta", "abc", "c1"
	p.Stage.Records, p.Stage.MembersPending = 2, 1
	p.Summary.New, p.Summary.Joined, p.Summary.JoinedBy = 1, 1, map[string]int{"employee_number": 1}
	p.Verdict.Reasons = []string{"move would reach 60 people"}
	p.Items = []previewItem{{UserName: "li", DisplayName: "李娜", Person: "per_1", By: "employee_number"}, {UserName: "new", DisplayName: "New", Conflict: "claimed_twice", Pending: []string{"unit"}}}
	var out strings.Builder
	previewTable(&out, p)
	for _, want := range []string{"source okta is in its dry run: 2 people", "1  new people", "1  join a person whom another source knows by employee_number 1",
		"1  members of groups are not known yet", "the guard would hold: move would reach 60 people", "= 李娜 (li) joins per_1 by employee_number",
		"+ New (new) new; not joined: claimed twice; unit not known yet", "--cursor c1", "hash abc"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
