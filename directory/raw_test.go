package directory_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
)

// What a source asserted without a column of its own can be asked for all the same, whatever shape it has.
func TestRawColumns(t *testing.T) {
	run(t, func(w *world) {
		raws := map[string]string{
			"a": `{"nickName":"Ärmel","urn:x:1.0:User":{"badge":"K-7","floor":7,"remote":true,"tags":["red","Blue"]},"roles":[{"value":"admin","type":"work","primary":true},{"value":"dev"}]}`,
			"b": `{"nickName":"b","urn:x:1.0:User":{"badge":"k-7","floor":"7","remote":false,"tags":"red"},"roles":["admin",7,null,{"value":"ops","type":"work"}]}`,
			"c": `{"urn:x:1.0:User":"nothing","roles":{"value":"admin"}}`,
			"d": `[]`,
			"e": ``,
		}
		for name, raw := range raws {
			w.post(name, func(r *directory.Record) {
				if raw != "" {
					r.Raw = json.RawMessage(raw)
				}
			})
		}
		badge, floor, remote := []string{"urn:x:1.0:User", "badge"}, []string{"urn:x:1.0:User", "floor"}, []string{"urn:x:1.0:User", "remote"}
		tags := directory.RawList("urn:x:1.0:User", "tags")
		is := func(c directory.Column, op directory.Op, v any) directory.Where {
			return directory.Compare{Column: c, Op: op, Value: v}
		}
		for _, c := range []struct {
			where directory.Where
			want  string
		}{
			{is(directory.RawText(badge...), directory.Eq, "K-7"), "ab"},
			{is(directory.RawExact(badge...), directory.Eq, "K-7"), "a"},
			{is(directory.RawText(badge...), directory.Ne, "K-7"), "cde"},
			{is(directory.RawText(badge...), directory.Pr, nil), "ab"},
			{is(directory.RawText("nickName"), directory.Sw, "Ä"), "a"},
			{is(directory.RawText("nickName"), directory.Co, "x' or '1'='1"), ""},
			{is(directory.RawNumber(floor...), directory.Eq, 7.0), "a"},
			{is(directory.RawNumber(floor...), directory.Ne, 7.0), "bcde"},
			{is(directory.RawNumber(floor...), directory.Gt, 6.5), "a"},
			{directory.Not{Of: is(directory.RawNumber(floor...), directory.Ge, 7.0)}, "bcde"},
			{is(directory.RawBool(remote...), directory.Eq, true), "a"},
			{is(directory.RawBool(remote...), directory.Ne, true), "bcde"},
			{directory.Element{Kind: tags, Of: is(directory.RawText(), directory.Eq, "blue")}, "a"},
			{directory.Element{Kind: directory.RawList("roles"), Of: is(directory.RawText("value"), directory.Eq, "ADMIN")}, "a"},
			{directory.Element{Kind: directory.RawList("roles"), Of: directory.And{is(directory.RawText("type"), directory.Eq, "work"), is(directory.RawText("value"), directory.Ne, "admin")}}, "b"},
			{directory.Element{Kind: directory.RawList("roles"), Of: is(directory.RawBool("primary"), directory.Eq, true)}, "a"},
			{directory.Element{Kind: directory.RawList("roles"), Of: directory.Always{}}, "ab"},
		} {
			page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: c.where, Limit: 9})
			var got []string
			for _, r := range page.Records {
				got = append(got, r.UserName)
			}
			slices.Sort(got)
			if err != nil || strings.Join(got, "") != c.want || page.Total != len(c.want) {
				t.Errorf("%q finds %v (%d), want %s: %v", c.where, got, page.Total, c.want, err)
			}
		}
		page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Sort: directory.RawText("nickName"), Limit: 9})
		if err != nil || !strings.Contains("ab", page.Records[0].UserName) || !strings.Contains("ab", page.Records[1].UserName) || page.Records[0].UserName == page.Records[1].UserName {
			t.Errorf("sorted %+v, %v", page, err)
		}
		for name, where := range map[string]directory.Where{
			"a name that is SQL":   is(directory.RawText("a') or ('1'='1"), directory.Eq, "x"),
			"a name with a mark":   is(directory.RawText("a?"), directory.Eq, "x"),
			"no name":              is(directory.RawText(), directory.Eq, "x"),
			"an empty name":        is(directory.RawText("a", ""), directory.Eq, "x"),
			"a list as a value":    is(tags, directory.Eq, "x"),
			"a text for a number":  is(directory.RawNumber("a"), directory.Eq, "x"),
			"part of a number":     is(directory.RawNumber("a"), directory.Co, 1.0),
			"a value as a list":    directory.Element{Kind: directory.RawText("a"), Of: directory.Always{}},
			"a list in a list":     directory.Element{Kind: tags, Of: directory.Element{Kind: tags, Of: directory.Always{}}},
			"a column in a list":   directory.Element{Kind: tags, Of: is(directory.ColTitle, directory.Pr, nil)},
			"a membership in list": directory.Element{Kind: tags, Of: is(directory.ColGroup, directory.Eq, "x")},
		} {
			if _, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: where, Limit: 1}); !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// The main e-mail is the primary one, else the first: a query can sort and compare by it. Who has none is last, or first
// in descending order.
func TestMainContacts(t *testing.T) {
	run(t, func(w *world) {
		w.post("a", func(r *directory.Record) { r.Emails = []directory.Email{{Value: "Z@x"}, {Value: "b@x", Primary: true}} })
		w.post("b", func(r *directory.Record) { r.Emails = []directory.Email{{Value: "A@x"}, {Value: "z@x"}} })
		w.post("c")
		page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Sort: directory.ColMainEmail, Limit: 9})
		if err != nil || page.Records[0].UserName != "b" || page.Records[1].UserName != "a" || page.Records[2].UserName != "c" {
			t.Errorf("%+v, %v", page, err)
		}
		page, err = w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Sort: directory.ColMainEmail, Descending: true, Limit: 9})
		if err != nil || page.Records[0].UserName != "c" || page.Records[1].UserName != "a" || page.Records[2].UserName != "b" {
			t.Errorf("%+v, %v", page, err)
		}
		page, err = w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: directory.Compare{Column: directory.ColMainEmail, Op: directory.Gt, Value: "A@X"}, Limit: 9})
		if err != nil || page.Total != 1 || page.Records[0].UserName != "a" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}
