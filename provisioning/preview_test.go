package provisioning_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// newSource makes a SCIM source that wins over hr; dry: in its dry run.
func (w *world) newSource(name string, dry bool) directory.Source {
	w.Helper()
	s := directory.Source{Name: name, Kind: directory.KindSCIM, Priority: 1, Correlate: []string{directory.CorrelateEmployeeNumber}}
	if dry {
		s.Mode = directory.ModeDryRun
	}
	s, err := w.people.CreateSource(ctx, directory.Cause{Actor: "tester"}, s)
	w.ok(err)
	return s
}

// push posts a record of facts as record makes them; the number is the key's.
func (w *world) push(s directory.Source, key, number, facts string) directory.Record {
	w.Helper()
	r := w.record(key, facts)
	r.Source, r.Key, r.EmployeeNumber = s.ID, "", number
	applied, err := w.people.Apply(ctx, directory.Cause{Source: s.ID}, directory.CreateRecord{Record: r})
	w.ok(err)
	return applied.Records[0]
}

// hire puts a numbered record into hr.
func (w *world) hire(number, facts string) id.Person {
	w.Helper()
	r := w.record("hr"+number, facts)
	r.EmployeeNumber = number
	return w.apply(directory.PutRecord{Record: r}).Records[0].Person
}

func (w *world) preview(s directory.Source, q provisioning.PreviewQuery) *provisioning.Preview {
	w.Helper()
	p, err := w.r.Preview(ctx, s.ID, q)
	w.ok(err)
	return p
}

func (w *world) golive(s directory.Source) {
	w.Helper()
	w.ok(w.r.GoLive(ctx, directory.Cause{Actor: "tester"}, s.ID, w.preview(s, provisioning.PreviewQuery{}).Hash))
}

func steps(line provisioning.PreviewLine) string {
	var out []string
	for _, c := range line.Memberships {
		out = append(out, map[provisioning.Op]string{provisioning.OpAdd: "+", provisioning.OpRemove: "-", provisioning.OpRole: "~"}[c.Op]+c.Group+":"+string(c.Role))
	}
	return strings.Join(out, " ")
}

// A preview says who is new, who joins whom, what each gains and loses, and writes nothing; going live does that.
func TestPreviewSaysWhatGoingLiveDoes(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		mover, stays, off := w.hire("1", "dept=R&D"), w.hire("2", "dept=Sales"), w.hire("3", "dept=R&D")
		okta := w.newSource("okta", true)
		w.untouched("pushing", func() {
			if w.places(mover) != "apollo:participant everybody:participant" {
				t.Error(w.places(mover))
			}
		})
		boss := w.push(okta, "mover", "1", "dept=Sales")
		fresh := w.push(okta, "fresh", "9", "dept=R&D title=Head manager="+string(boss.Link))
		w.push(okta, "stays", "2", "dept=Sales")
		w.push(okta, "off", "3", "dept=R&D active=false")
		w.push(okta, "hr1", "", "type=vendor")
		var p *provisioning.Preview
		w.untouched("a preview", func() { p = w.preview(okta, provisioning.PreviewQuery{Limit: 50}) })
		var got []string
		for _, line := range p.Lines {
			got = append(got, line.UserName+" "+strings.Join(line.Kinds, ",")+" "+steps(line))
		}
		w.want("lines", strings.Join(got, "\n"), strings.Join([]string{
			"mover joined,changed,gained,lost -apollo:participant +sales:participant",
			"fresh new,gained +apollo:owner +everybody:participant +reports:collaborator",
			"stays joined,changed ", "off joined,changed,frozen ", "hr1 new,gained,double +everybody:vendor"}, "\n"))
		s := p.Summary
		if s.New != 2 || s.Joined != 3 || s.Changed != 3 || s.Frozen != 1 || s.Gained != 5 || s.Lost != 1 || s.Doubles != 1 || s.JoinedBy["employee_number"] != 3 || s.Fields["department"] != 1 {
			t.Errorf("%+v", s)
		}
		if len(s.Groups) != 4 || s.Groups[0].Group != "apollo" || s.Groups[0].Gained != 1 || s.Groups[0].Lost[provisioning.CauseMove] != 1 {
			t.Errorf("%+v", s.Groups)
		}
		if line := p.Lines[1]; line.Person == "" || line.By != "" || len(line.Changes) != 0 {
			t.Errorf("%+v", line)
		}
		w.want("nothing happened", w.places(mover)+"|"+w.places(off), "apollo:participant everybody:participant|apollo:participant everybody:participant")
		w.want("sees", w.sees(off), "apollo/general everybody/news")

		w.ok(w.r.GoLive(ctx, directory.Cause{Actor: "tester"}, okta.ID, p.Hash))
		w.want("mover", w.places(mover), "everybody:participant sales:participant")
		w.want("stays", w.places(stays), "everybody:participant sales:participant")
		w.want("off", w.places(off)+"|"+w.sees(off), "apollo:participant everybody:participant|")
		r, err := w.people.Record(ctx, okta.ID, fresh.Link)
		w.ok(err)
		w.want("fresh", string(r.Person), string(p.Lines[1].Person))
		w.want("fresh", w.places(r.Person), "apollo:owner everybody:participant reports:collaborator")
		w.want("fresh sees", w.sees(r.Person), "apollo/general apollo/leads everybody/news reports/general")
		w.ok(w.r.GoLive(ctx, directory.Cause{}, okta.ID, p.Hash)) // said again
		if err := w.r.GoLive(ctx, directory.Cause{}, okta.ID, "other"); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		if _, err := w.r.Preview(ctx, okta.ID, provisioning.PreviewQuery{}); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		before := w.count()
		result, err := w.r.ReconcileAll(ctx)
		if w.ok(err); result.Written != 0 || fmt.Sprint(before) != fmt.Sprint(w.count()) {
			t.Errorf("a second run wrote %+v", result)
		}
	})
}

// Where what going live would do has changed, it is refused; what has nothing to do with it does not matter.
func TestPreviewDrift(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.hire("1", "dept=R&D")
		okta := w.newSource("okta", true)
		w.push(okta, "one", "1", "dept=Sales")
		drifts := func(what string, want bool, change func()) {
			t.Helper()
			hash := w.preview(okta, provisioning.PreviewQuery{}).Hash
			change()
			if got := w.preview(okta, provisioning.PreviewQuery{}).Hash != hash; got != want {
				t.Errorf("%s: drift %v", what, got)
			}
			if !want {
				return
			}
			w.untouched(what, func() {
				if err := w.r.GoLive(ctx, directory.Cause{}, okta.ID, hash); !errors.Is(err, provisioning.ErrDrift) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		drifts("a page", false, func() { w.preview(okta, provisioning.PreviewQuery{Limit: 1}) })
		drifts("somebody else", false, func() { w.hire("2", "dept=R&D") })
		drifts("a push", true, func() { w.push(okta, "two", "2", "dept=R&D") })
		drifts("another source's word", true, func() { w.hire("1", "dept=R&D title=Head") })
		drifts("a policy", true, func() { w.policy(strings.Replace(policyText, `"Sales"`, `"sales"`, 1)) })
		drifts("a person who came", true, func() { w.push(okta, "three", "3", ""); w.preview(okta, provisioning.PreviewQuery{}); w.hire("3", "") })
		w.golive(okta)
	})
}

// A page is the same whether it is read at once or after the one before, and a kind chooses.
func TestPreviewPages(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		okta := w.newSource("okta", true)
		for i := range 7 {
			w.push(okta, fmt.Sprint("p", i), "", map[bool]string{true: "dept=R&D", false: "active=false"}[i%2 == 0])
		}
		all := w.preview(okta, provisioning.PreviewQuery{Limit: 100})
		var pages []provisioning.PreviewLine
		for q := (provisioning.PreviewQuery{Limit: 3}); ; {
			p := w.preview(okta, q)
			pages = append(pages, p.Lines...)
			if q.After = p.Next; p.Next == "" {
				break
			}
		}
		if fmt.Sprint(pages) != fmt.Sprint(all.Lines) || len(pages) != 7 {
			t.Errorf("%v\n%v", pages, all.Lines)
		}
		p := w.preview(okta, provisioning.PreviewQuery{Kind: "frozen", Limit: 2})
		rest := w.preview(okta, provisioning.PreviewQuery{Kind: "frozen", Limit: 2, After: p.Next})
		if len(p.Lines) != 2 || len(rest.Lines) != 1 || rest.Next != "" || p.Summary.Arriving != 3 || p.Hash != all.Hash || rest.Hash != "" {
			t.Errorf("%d %d %q %+v", len(p.Lines), len(rest.Lines), rest.Next, p.Summary)
		}
	})
}

// An administrator looks at a dry run page by page and takes it live, over HTTP.
func TestPreviewAPI(t *testing.T) {
	both(t, func(w *world) {
		do := w.site(nil)
		w.policy(policyText)
		w.hire("1", "dept=R&D")
		okta := w.newSource("okta", true)
		w.push(okta, "one", "1", "dept=Sales")
		w.push(okta, "hr1", "", "dept=R&D")
		path := "/api/v1/sources/" + string(okta.ID)
		var first map[string]any
		w.untouched("GET", func() {
			code, answer := do("GET", path+"/preview?limit=1", nil)
			if first = answer; code != 200 || len(answer["items"].([]any)) != 1 || answer["hash"] == "" || answer["summary"].(map[string]any)["new"] != 1.0 ||
				answer["stage"].(map[string]any)["records"] != 2.0 || answer["verdict"].(map[string]any)["held"] != false {
				w.Fatalf("%d %v", code, answer)
			}
		})
		if item := first["items"].([]any)[0].(map[string]any); item["joins"].(map[string]any)["display_name"] != "HR1" || item["by"] != "employee_number" {
			w.Errorf("%v", item)
		}
		code, second := do("GET", path+"/preview?limit=1&cursor="+first["next"].(string), nil)
		item := second["items"].([]any)[0].(map[string]any)
		if double := item["doubles"].([]any)[0].(map[string]any); code != 200 || second["summary"] != nil || second["hash"] != nil || second["next"] != nil ||
			double["by"] != "user_name" || double["person"].(map[string]any)["display_name"] != "HR1" {
			w.Errorf("%d %v", code, second)
		}
		for what, ask := range map[string]struct {
			method, path string
			body         any
			code         int
			problem      string
		}{
			"no source":     {"GET", "/api/v1/sources/src_none/preview", nil, 404, "not_found"},
			"a live source": {"GET", "/api/v1/sources/" + string(w.source.ID) + "/preview", nil, 409, "live"},
			"another kind":  {"GET", path + "/preview?kind=x", nil, 422, ""},
			"a bad cursor":  {"GET", path + "/preview?cursor=x", nil, 400, "invalid_cursor"},
			"no cursor":     {"GET", path + "/preview?cursor=" + httpapi.Cursor("a\x00"), nil, 422, "invalid"},
			"another hash":  {"POST", path + "/live", map[string]string{"hash": "x"}, 409, "drift"},
			"live already":  {"POST", "/api/v1/sources/" + string(w.source.ID) + "/live", map[string]string{"hash": "x"}, 409, "live"},
		} {
			if code, answer := do(ask.method, ask.path, ask.body); code != ask.code || ask.problem != "" && answer["code"] != ask.problem {
				w.Errorf("%s: %d %v", what, code, answer)
			}
		}
		for range 2 { // the answer may be lost, and the call made again
			if code, answer := do("POST", path+"/live", map[string]any{"hash": first["hash"]}); code != 200 || answer["mode"] != "live" {
				w.Errorf("%d %v", code, answer)
			}
		}
	})
}
