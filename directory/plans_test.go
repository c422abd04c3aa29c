package directory

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

type noAccess struct{}

func (noAccess) Revoke(*db.Tx, []FreezeChange) (int64, error)            { return 0, nil }
func (noAccess) Settle(context.Context, Cause, []id.Person, int64) error { return nil }

// planned fills a directory with n people of one source, as identity providers push them.
func planned(tb testing.TB, d *db.DB, n int) (*Store, id.Source, []string) {
	tb.Helper()
	ctx := context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, Migrate} {
		if err := migrate(ctx, d); err != nil {
			tb.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := New(d, feed.New(d, "plans", log), log)
	s.Access = noAccess{}
	source, err := s.CreateSource(ctx, Cause{}, Source{Name: "s", Kind: KindSCIM})
	if err != nil {
		tb.Fatal(err)
	}
	links := make([]string, n)
	var changes []Change
	for i := range n {
		links[i] = string(id.New[id.Link]())
		rec := Record{Link: id.Link(links[i]), Source: source.ID, Key: links[i], ExternalID: fmt.Sprint("e", i), UserName: fmt.Sprint("user", i), Active: i%20 != 0,
			Attributes: Attributes{DisplayName: fmt.Sprint("User ", i), FamilyName: fmt.Sprint("F", i), Title: fmt.Sprint("T", i%200),
				Department: fmt.Sprint("D", i%100), EmployeeNumber: fmt.Sprint("N", i), Emails: []Email{{Value: fmt.Sprint("user", i, "@corp.example"), Type: "work", Primary: true}}},
			Raw: []byte(`{"nickName":"n"}`)}
		if i%50 == 0 {
			rec.ManagerKey = links[i/20]
		}
		if changes = append(changes, PutRecord{Record: rec}); len(changes) == 500 || i == n-1 {
			if _, err := s.Apply(ctx, Cause{Source: source.ID}, changes...); err != nil {
				tb.Fatal(err)
			}
			changes = nil
		}
	}
	if err := d.Analyze(ctx); err != nil {
		tb.Fatal(err)
	}
	return s, source.ID, links
}

// plan answers how the engine finds a page.
func plan(tb testing.TB, s *Store, q RecordQuery) string {
	tb.Helper()
	built, err := s.recordQuery(q)
	if err != nil {
		tb.Fatal(err)
	}
	return explained(tb, s, built.page, built.pageArgs)
}

func explained(tb testing.TB, s *Store, sql string, args []any) string {
	tb.Helper()
	explain := "explain query plan "
	if s.engine == db.Postgres {
		explain = "explain (costs off) "
	}
	rows, err := s.db.Read(context.Background()).Raw(explain+sql, args...).Rows()
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var line string
		into := []any{&line}
		if s.engine == db.SQLite {
			into = []any{new(int), new(int), new(int), &line}
		}
		if err := rows.Scan(into...); err != nil {
			tb.Fatal(err)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// What sources look people up by, and what they sort by, is found by an index: no plan reads a source from one end to the other.
func TestQueriesUseIndexes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s, source, links := planned(t, d, 3000)
		eq := func(c Column, v any) Where { return Compare{c, Eq, v} }
		for index, where := range map[string]Where{
			"user_name|records_3":               eq(ColUserName, "USER77"),
			"records_by_external":               eq(ColExternalID, "e77"),
			"record_contacts_value":             eq(ColEmail, "user77@corp.example"),
			"record_contacts_value ":            Element{Kind: ColEmail, Of: And{eq(ColEmailType, "work"), eq(ColEmail, "user77@corp.example")}},
			"records_by_display_name":           eq(ColDisplayName, "user 77"),
			"records_pk|records_live|records_1": eq(ColID, links[77]),
			"records_by_family_name":            eq(ColFamilyName, "f77"),
			"records_by_title":                  eq(ColTitle, "T7"),
			"records_by_department":             eq(ColDepartment, "D7"),
			"records_by_lower_number":           eq(ColEmployeeNumber, "n77"),
			"records_inactive":                  eq(ColActive, false),
			"records_by_modified":               Compare{ColModified, Gt, time.Now()},
			"records_by_modified ":              And{eq(ColActive, true), Compare{ColModified, Ge, time.Now()}},
			"records_by_manager":                eq(ColManager, links[1]),
			"records_by_manager ":               Or{eq(ColManager, "nobody"), eq(ColManager, "somebody"), eq(ColManager, "anybody")},
			"group_members_|records_key":        eq(ColGroup, "nowhere"),
			"records_by_external ":              Or{eq(ColExternalID, "e77"), eq(ColUserName, "e77")},
			"record_contacts_value  ":           Or{eq(ColUserName, "user77"), eq(ColEmail, "user77@corp.example")},
		} {
			q := RecordQuery{Source: source, Pushed: true, Where: where, Limit: 10}
			checkPlan(t, s, q, index)
			if _, err := s.FindRecords(context.Background(), q); err != nil {
				t.Error(err)
			}
		}
		for index, sort := range map[string]Column{"records_sorted_by_user_name": ColUserName, "records_by_display_name": ColDisplayName,
			"records_by_main_email": ColMainEmail, "records_by_modified": ColModified, "records_live|records_pk": ""} {
			for _, descending := range []bool{false, true} {
				checkPlan(t, s, RecordQuery{Source: source, Pushed: true, Sort: sort, Descending: descending, Limit: 10}, index)
			}
		}
	})
}

// Whom the records that arrive concern is found by their keys, also where many arrive at once and many share a value.
func TestWhoseUsesIndexes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		if d.Engine == db.Postgres {
			t.Skip("it weighs the table against the values, and this one is small")
		}
		s, source, links := planned(t, d, 3000)
		for column, index := range map[string]string{"manager_key": "records_by_manager (source_id=? AND manager_key=?)",
			"unit_key": "records_by_unit (source_id=? AND unit_key=?)", "record_key": "(source_id=? AND record_key=?)"} {
			for _, n := range []int{1, 3, 500} {
				sql, args := whose(column, source, links[:n])
				if got := explained(t, s, sql, args); !strings.Contains(got, "SEARCH r USING INDEX") || !strings.Contains(got, index) || strings.Contains(got, "BLOOM") {
					t.Errorf("whose %s (%d) does not use %s:\n%s", column, n, index, got)
				}
			}
		}
	})
}

func checkPlan(t *testing.T, s *Store, q RecordQuery, indexes string) {
	t.Helper()
	got := plan(t, s, q)
	found := false
	for index := range strings.SplitSeq(strings.TrimSpace(indexes), "|") {
		found = found || strings.Contains(got, index)
	}
	if !found || strings.Contains(got, "Seq Scan on records") || strings.Contains(got, "SCAN records") {
		t.Errorf("%+v is not found by %s:\n%s", q, indexes, got)
	}
}
