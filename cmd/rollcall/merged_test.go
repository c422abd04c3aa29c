package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// The subject of who was merged is forgotten, so that the next sign-in finds who has their records; so is that of who stays where they had no
// access. Everybody else's stays.
func TestMergedAccountSignsInAsWhoStays(t *testing.T) {
	s := newBench(t, db.SQLite)
	for n := range 4 {
		s.hire(n + 1)
	}
	people := map[string]id.Person{}
	for _, name := range []string{"u1", "u2", "u3", "u4"} {
		person, _ := s.person(name)
		people[name] = id.Person(person)
		if err := s.app.db.Tx(t.Context(), func(tx *db.Tx) error {
			return tx.Exec("insert into session_identities (issuer, subject, person, created_at) values ('i', ?, ?, 1)", name, person).Error
		}); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.app.people.Records(t.Context(), people["u3"])
	if err != nil {
		t.Fatal(err)
	}
	cause := directory.Cause{Actor: "test"}
	for _, c := range []directory.Change{directory.MergePeople{Keep: people["u1"], Gone: people["u2"]},
		directory.DeleteRecord{Source: records[0].Source, Link: records[0].Link}, directory.MergePeople{Keep: people["u3"], Gone: people["u4"]}} {
		if _, err := s.app.people.Apply(t.Context(), cause, c); err != nil {
			t.Fatal(err)
		}
	}
	left := ""
	for range 200 {
		var subjects []string
		if err := s.app.db.Read(t.Context()).Raw("select subject from session_identities where issuer = 'i' order by subject").Scan(&subjects).Error; err != nil {
			t.Fatal(err)
		}
		if left = strings.Join(subjects, " "); left == "u1" {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Errorf("subjects left: %s", left)
}
