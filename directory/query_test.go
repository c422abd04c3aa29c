package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/cases"
	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

func folded(s string) string { return cases.Fold().String(s) }

// oracle evaluates a condition over one record in plain Go.
func oracle(where directory.Where, r directory.Record, email *directory.Email) bool {
	switch c := where.(type) {
	case nil, directory.Always:
		return true
	case directory.Never:
		return false
	case directory.And:
		return !slices.ContainsFunc(c, func(p directory.Where) bool { return !oracle(p, r, email) })
	case directory.Or:
		return slices.ContainsFunc(c, func(p directory.Where) bool { return oracle(p, r, email) })
	case directory.Not:
		return !oracle(c.Of, r, email)
	case directory.Element:
		return slices.ContainsFunc(r.Emails, func(e directory.Email) bool { return oracle(c.Of, r, &e) })
	case directory.Compare:
		return compare(c, r, email)
	}
	panic("unknown")
}

func compare(c directory.Compare, r directory.Record, email *directory.Email) bool {
	text := func(s string, fold bool) bool {
		v, _ := c.Value.(string)
		if fold {
			s, v = folded(s), folded(v)
		}
		switch c.Op {
		case directory.Eq:
			return s == v
		case directory.Ne:
			return s != v
		}
		if s == "" {
			return false
		}
		switch c.Op {
		case directory.Co:
			return strings.Contains(s, v)
		case directory.Sw:
			return strings.HasPrefix(s, v)
		case directory.Ew:
			return strings.HasSuffix(s, v)
		case directory.Gt:
			return s > v
		case directory.Ge:
			return s >= v
		case directory.Lt:
			return s < v
		case directory.Le:
			return s <= v
		}
		return s != ""
	}
	switch c.Column {
	case directory.ColUserName:
		return text(r.UserName, true)
	case directory.ColExternalID:
		return text(r.ExternalID, false)
	case directory.ColDisplayName:
		return text(r.DisplayName, true)
	case directory.ColTitle:
		return text(r.Title, true)
	case directory.ColManager:
		return text(r.ManagerKey, false)
	case directory.ColActive:
		return r.Active == c.Value.(bool) == (c.Op == directory.Eq)
	case directory.ColCreated:
		at := c.Value.(time.Time)
		return map[directory.Op]bool{directory.Eq: r.CreatedAt.Equal(at), directory.Ne: !r.CreatedAt.Equal(at), directory.Gt: r.CreatedAt.After(at), directory.Ge: !r.CreatedAt.Before(at),
			directory.Lt: r.CreatedAt.Before(at), directory.Le: !r.CreatedAt.After(at), directory.Pr: true}[c.Op]
	case directory.ColEmail:
		if email != nil {
			return text(email.Value, true)
		}
		op := c.Op
		if op == directory.Ne {
			c.Op = directory.Eq
		}
		any := slices.ContainsFunc(r.Emails, func(e directory.Email) bool { return compare(c, r, &e) })
		return any != (op == directory.Ne)
	case directory.ColEmailType:
		return email != nil && text(email.Type, true)
	}
	panic(c.Column)
}

var words = []string{"a", "A", "b", "%", "_", `\`, "'", "张", "é", "É", "", "ab", "work"}

func conditions(depth int, inside bool) *rapid.Generator[directory.Where] {
	return rapid.Custom(func(t *rapid.T) directory.Where {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth == 0 {
			kind = 0
		}
		some := func() []directory.Where {
			return rapid.SliceOfN(conditions(depth-1, inside), 0, 3).Draw(t, "parts")
		}
		switch kind {
		case 1:
			return directory.And(some())
		case 2:
			return directory.Or(some())
		case 3:
			return directory.Not{Of: conditions(depth-1, inside).Draw(t, "of")}
		case 4:
			if !inside {
				return directory.Element{Kind: directory.ColEmail, Of: conditions(depth-1, true).Draw(t, "of")}
			}
		}
		c := directory.Compare{Op: rapid.SampledFrom([]directory.Op{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}).Draw(t, "op"), Value: rapid.SampledFrom(words).Draw(t, "value")}
		columns := []directory.Column{directory.ColUserName, directory.ColExternalID, directory.ColDisplayName, directory.ColTitle, directory.ColManager, directory.ColActive, directory.ColCreated, directory.ColEmail}
		if inside {
			columns = []directory.Column{directory.ColEmail, directory.ColEmailType}
		}
		c.Column = rapid.SampledFrom(columns).Draw(t, "column")
		switch c.Column {
		case directory.ColActive:
			c.Op, c.Value = rapid.SampledFrom([]directory.Op{"eq", "ne"}).Draw(t, "op"), rapid.Bool().Draw(t, "value")
		case directory.ColCreated:
			if slices.Contains([]directory.Op{"co", "sw", "ew"}, c.Op) {
				c.Op = directory.Ge
			}
			c.Value = time.Date(2026, 3, 2, 9, 0, rapid.IntRange(0, 12).Draw(t, "second"), 0, time.UTC)
		}
		return c
	})
}

// The SQL of every condition finds on both engines what plain Go finds.
func TestConditions(t *testing.T) {
	run(t, func(w *world) {
		var records []directory.Record
		for i := range 12 {
			pick := func(n int) string { return words[(i*n+n)%len(words)] }
			records = append(records, w.post(fmt.Sprint(pick(1), i), func(r *directory.Record) {
				r.DisplayName, r.Title, r.ManagerKey, r.Active = pick(5)+pick(2), words[i%7], pick(3), i%3 > 0
				if i%2 == 0 {
					r.ExternalID = fmt.Sprint(pick(7), i/4, pick(1), i)
				}
				for j := range i % 4 {
					r.Emails = append(r.Emails, directory.Email{Value: pick(j+1) + pick(j+3), Type: []string{"work", "home"}[j%2]})
				}
			}))
			w.pass(time.Second)
		}
		gone := w.post("gone", func(r *directory.Record) { r.ExternalID = "gone" })
		w.apply(directory.DeleteRecord{Source: w.scim, Link: gone.Link})
		w.put("of another source")
		off := w.post("off", func(r *directory.Record) { r.ExternalID, r.Active = "off", false })
		w.apply(directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "on", ExternalID: "off", Active: true}})
		w.apply(directory.DeleteRecord{Source: w.scim, Link: off.Link})
		for source, want := range map[id.Source]int{w.scim: len(records), w.ldap: 1} { // the kept total is the counted one
			page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: source})
			if err != nil || page.Total != want {
				t.Errorf("%+v, %v", page, err)
			}
		}
		rapid.Check(t, func(rt *rapid.T) {
			where := conditions(3, false).Draw(rt, "where")
			page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: where, Limit: 100})
			if err != nil {
				rt.Fatalf("%#v: %v", where, err)
			}
			var got, want []string
			for _, r := range page.Records {
				got = append(got, r.UserName)
			}
			for _, r := range records {
				if oracle(where, r, nil) {
					want = append(want, r.UserName)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || page.Total != len(want) {
				rt.Fatalf("%#v\ngot  %q\nwant %q", where, got, want)
			}
		})
	})
}

func TestQueriesRefuse(t *testing.T) {
	run(t, func(w *world) {
		w.post("a")
		deep := directory.Where(directory.Always{})
		for range 300 {
			deep = directory.Not{Of: deep}
		}
		for name, where := range map[string]directory.Where{
			"unknown column":     directory.Compare{Column: "link; drop table records", Op: directory.Eq, Value: "x"},
			"unknown operator":   directory.Compare{Column: directory.ColTitle, Op: "or 1=1 --", Value: "x"},
			"text for a bool":    directory.Compare{Column: directory.ColActive, Op: directory.Eq, Value: "x"},
			"order of a bool":    directory.Compare{Column: directory.ColActive, Op: directory.Gt, Value: true},
			"text for a time":    directory.Compare{Column: directory.ColCreated, Op: directory.Gt, Value: "x"},
			"part of a time":     directory.Compare{Column: directory.ColCreated, Op: directory.Co, Value: w.at},
			"part of a group":    directory.Compare{Column: directory.ColGroup, Op: directory.Co, Value: "x"},
			"a group's column":   directory.Compare{Column: directory.ColMember, Op: directory.Eq, Value: "x"},
			"title in an e-mail": directory.Element{Kind: directory.ColEmail, Of: directory.Compare{Column: directory.ColTitle, Op: directory.Pr}},
			"element in itself":  directory.Element{Kind: directory.ColEmail, Of: directory.Element{Kind: directory.ColEmail, Of: directory.Always{}}},
			"too deep":           deep,
		} {
			if _, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: where, Limit: 1}); !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, value := range []string{"a\x00b", "\xff"} { // what cannot be stored is never found, and no engine is asked
			for _, column := range []directory.Column{directory.ColUserName, directory.ColExternalID, directory.ColEmail, directory.ColTitle, directory.ColGroup} {
				for op, want := range map[directory.Op]int{directory.Eq: 0, directory.Ne: 1} {
					page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: directory.Compare{Column: column, Op: op, Value: value}})
					if err != nil || page.Total != want {
						t.Errorf("%s %s: %+v, %v", column, op, page, err)
					}
				}
			}
		}
		if _, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Sort: "nothing", Limit: 1}); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestPaging(t *testing.T) {
	run(t, func(w *world) {
		var links []id.Link
		for i := range 7 {
			links = append(links, w.post(fmt.Sprint("u", 9-i), func(r *directory.Record) { r.Emails = []directory.Email{{Value: fmt.Sprint("e", i)}} }).Link)
		}
		slices.Sort(links)
		find := func(q directory.RecordQuery) (out []id.Link) {
			t.Helper()
			q.Source = w.scim
			page, err := w.FindRecords(w.ctx, q)
			if err != nil || page.Total != 7 {
				t.Fatalf("%+v, %v", page, err)
			}
			for _, r := range page.Records {
				out = append(out, r.Link)
			}
			return out
		}
		list(t, "by creation", find(directory.RecordQuery{Offset: 2, Limit: 3}), links[2:5]...)
		list(t, "after", find(directory.RecordQuery{After: links[2], Limit: 3}), links[3:6]...)
		list(t, "beyond", find(directory.RecordQuery{Offset: 70, Limit: 3}))
		list(t, "only the total", find(directory.RecordQuery{}))
		reversed := slices.Clone(find(directory.RecordQuery{Sort: directory.ColUserName, Limit: 9}))
		slices.Reverse(reversed)
		list(t, "descending", find(directory.RecordQuery{Sort: directory.ColUserName, Descending: true, Limit: 9}), reversed...)
		for _, c := range []directory.Column{directory.ColEmail, directory.ColTitle, directory.ColCreated, directory.ColActive, directory.ColStart} {
			same(t, string(c), len(find(directory.RecordQuery{Sort: c, Limit: 9})), 7)
		}

		got := map[id.Person]bool{}
		for q := (directory.Query{Limit: 3}); ; {
			page, err := w.People(w.ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.People {
				got[p.ID] = true
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		same(t, "people", len(got), 7)
		if _, err := w.People(w.ctx, directory.Query{Cursor: "%"}); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestSearchPeople(t *testing.T) {
	run(t, func(w *world) {
		w.post("wang.wei", func(r *directory.Record) {
			r.GivenName, r.FamilyName, r.Title, r.EmployeeNumber = "伟", "王", "Senior_Engineer", "E-77"
		})
		w.post("o'neil", func(r *directory.Record) { r.DisplayName = "Ciarán O'NEIL" })
		for text, want := range map[string]int{"": 2, "王伟": 1, "WANG": 1, "engineer wei": 1, "engineer neil": 0, "ciarÁN": 1, "%": 0, "_": 1, `\`: 0, "o'n": 1, "e-77": 1, "a\x00": 0} {
			page, err := w.People(w.ctx, directory.Query{Text: text})
			if err != nil || len(page.People) != want {
				t.Errorf("%q: %d, %v", text, len(page.People), err)
			}
		}
		frozen := true
		if page, err := w.People(w.ctx, directory.Query{Frozen: &frozen}); err != nil || len(page.People) != 0 {
			t.Errorf("%+v, %v", page, err)
		}
		frozen = false
		if page, err := w.People(w.ctx, directory.Query{Frozen: &frozen}); err != nil || len(page.People) != 2 {
			t.Errorf("%+v, %v", page, err)
		}
		if _, err := w.People(w.ctx, directory.Query{Status: "gone"}); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestFindGroups(t *testing.T) {
	run(t, func(w *world) {
		a := w.post("a")
		g := w.group("R&D 研发", a.Key)
		w.group("Sales")
		for name, q := range map[string]directory.Where{
			"name":   directory.Compare{Column: directory.ColDisplayName, Op: directory.Eq, Value: "r&d 研发"},
			"member": directory.And{directory.Compare{Column: directory.ColID, Op: directory.Eq, Value: string(g.ID)}, directory.Compare{Column: directory.ColMember, Op: directory.Eq, Value: a.Key}},
			"any":    directory.Compare{Column: directory.ColMember, Op: directory.Pr},
		} {
			page, err := w.FindGroups(w.ctx, directory.GroupQuery{Source: w.scim, Where: q, Limit: 5})
			if err != nil || page.Total != 1 || len(page.Groups) != 1 || page.Groups[0].ID != g.ID {
				t.Errorf("%s: %+v, %v", name, page, err)
			}
		}
		page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: directory.Compare{Column: directory.ColGroup, Op: directory.Eq, Value: string(g.ID)}, Limit: 5})
		if err != nil || page.Total != 1 {
			t.Errorf("%+v, %v", page, err)
		}
		if _, err := w.FindGroups(w.ctx, directory.GroupQuery{Where: directory.Compare{Column: directory.ColEmail, Op: directory.Pr}}); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
	})
}
