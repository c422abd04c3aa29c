package directory_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

func bench(b *testing.B, engine db.Engine) (*directory.Store, id.Source, id.Source) {
	b.Helper()
	d, ctx := dbtest.Open(b, dbtest.DSN(b, engine)), context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate} {
		if err := migrate(ctx, d); err != nil {
			b.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := directory.New(d, feed.New(d, "bench", log), log)
	s.Access = &gate{frozen: map[id.Person]map[string]directory.Freeze{}}
	var ids []id.Source
	for i, kind := range []directory.SourceKind{directory.KindSCIM, directory.KindLDAP} {
		src, err := s.CreateSource(ctx, directory.Cause{}, directory.Source{Name: fmt.Sprint("s", i), Kind: kind})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, src.ID)
	}
	return s, ids[0], ids[1]
}

func record(source id.Source, i int) directory.Record {
	return directory.Record{Source: source, Key: fmt.Sprint("k", i), ExternalID: fmt.Sprint("e", i), UserName: fmt.Sprint("user", i, "@corp.example"), Active: true,
		Attributes: directory.Attributes{DisplayName: fmt.Sprint("User ", i), GivenName: "User", FamilyName: fmt.Sprint(i), Title: "Engineer", Department: "R&D",
			Emails: []directory.Email{{Value: fmt.Sprint("user", i, "@corp.example"), Type: "work", Primary: true}}},
		Raw: []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"name":{"givenName":"User"},"x":"` + fmt.Sprintf("%0500d", i) + `"}`)}
}

// BenchmarkCreateRecord is a SCIM POST without HTTP: one transaction, audit and feed on.
func BenchmarkCreateRecord(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			s, scim, _ := bench(b, engine)
			ctx, i := context.Background(), 0
			for b.Loop() {
				i++
				rec := record(scim, i)
				rec.Key = ""
				if _, err := s.Apply(ctx, directory.Cause{Source: scim}, directory.CreateRecord{Record: rec}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPutRecords is a bulk of 500, first new, then again without a change.
func BenchmarkPutRecords(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			s, _, ldap := bench(b, engine)
			ctx, i := context.Background(), 0
			var changes []directory.Change
			b.Run("new", func(b *testing.B) {
				for b.Loop() {
					changes = nil
					for range 500 {
						i++
						changes = append(changes, directory.PutRecord{Record: record(ldap, i)})
					}
					if _, err := s.Apply(ctx, directory.Cause{Source: ldap}, changes...); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("again", func(b *testing.B) {
				for b.Loop() {
					if a, err := s.Apply(ctx, directory.Cause{Source: ldap}, changes...); err != nil || !a.Noop {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkQueries are SCIM's look-ups among 100,000 records.
func BenchmarkQueries(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			s, scim, ldap := bench(b, engine)
			ctx, i := context.Background(), 0
			const n = 100_000
			for i < n {
				var changes []directory.Change
				for range 1000 {
					i++
					changes = append(changes, directory.PutRecord{Record: record(scim, i)})
				}
				if _, err := s.Apply(ctx, directory.Cause{Source: scim}, changes...); err != nil {
					b.Fatal(err)
				}
			}
			_ = ldap
			eq := func(c directory.Column, v string) directory.RecordQuery {
				return directory.RecordQuery{Where: directory.Compare{Column: c, Op: directory.Eq, Value: v}, Limit: 100}
			}
			for name, q := range map[string]directory.RecordQuery{"userName": eq(directory.ColUserName, "USER777@corp.example"), "externalId": eq(directory.ColExternalID, "e778"),
				"email": eq(directory.ColEmail, "user779@corp.example"), "displayName": eq(directory.ColDisplayName, "user 780"), "page at 99,901": {Offset: n - 100, Limit: 100}} {
				b.Run(name, func(b *testing.B) {
					q.Source = scim
					for b.Loop() {
						page, err := s.FindRecords(ctx, q)
						if err != nil || len(page.Records) == 0 {
							b.Fatalf("%+v, %v", page, err)
						}
					}
				})
			}
		})
	}
}
