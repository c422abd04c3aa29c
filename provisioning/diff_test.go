package provisioning

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// enact makes the memberships that changes lead to, as the store does, without a database.
func enact(have []Membership, changes []Change) []Membership {
	by := map[id.Group]Membership{}
	for _, m := range have {
		by[m.Group] = m
	}
	for _, c := range changes {
		if c.Op == OpRemove {
			delete(by, c.Group)
			continue
		}
		m := by[c.Group]
		m.Group, m.Role = c.Group, c.Role
		if m.ID == "" {
			m.ID = id.Membership("m-" + string(c.Group))
		}
		m.Reasons = slices.DeleteFunc(slices.Clone(m.Reasons), func(r Reason) bool {
			return slices.ContainsFunc(c.End, func(e Reason) bool { return e.ground() == r.ground() && e.Until.Equal(r.Until) && e.From.Equal(r.From) })
		})
		m.Reasons = append(m.Reasons, c.Add...)
		by[c.Group] = m
	}
	out := slices.Collect(maps.Values(by))
	slices.SortFunc(out, func(a, b Membership) int { return compareGroups(a.Group, b.Group) })
	return out
}

func compareGroups(a, b id.Group) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func drawReasons(t *rapid.T, least int) []Reason {
	var out []Reason
	seen := map[ground]bool{}
	for range rapid.IntRange(least, 4).Draw(t, "reasons") {
		r := Reason{
			Kind: rapid.SampledFrom([]Kind{KindRule, KindGrant, KindKeep}).Draw(t, "kind"),
			Ref:  rapid.SampledFrom([]string{"g/a", "g/b", "g/c"}).Draw(t, "ref"),
			Role: rapid.SampledFrom(policies.Roles()).Draw(t, "role"),
		}
		if r.Kind != KindRule {
			r.Until = rapid.SampledFrom([]time.Time{{}, noon.Add(-time.Hour), noon, noon.Add(time.Hour)}).Draw(t, "until")
		}
		if !seen[r.ground()] {
			seen[r.ground()] = true
			out = append(out, r)
		}
	}
	return out
}

func drawSeats(t *rapid.T) []Seat {
	var out []Seat
	for i := range 4 {
		if reasons := drawReasons(t, 0); len(reasons) > 0 {
			out = append(out, Seat{Group: id.Group(fmt.Sprint("g", i)), Reasons: reasons})
		}
	}
	return out
}

func memberships(seats []Seat) []Membership { return enact(nil, Diff(nil, seats, noon)) }

func seatsOf(have []Membership) []Seat {
	var out []Seat
	for _, m := range have {
		out = append(out, Seat{Group: m.Group, Reasons: m.Reasons})
	}
	return out
}

// A membership exists exactly when a reason does, has the strongest role, and Diff reaches the wanted state
// from any state; what stands against itself is no change.
func TestDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, want := memberships(drawSeats(t)), drawSeats(t)
		after := enact(have, Diff(have, want, noon))
		if again := Diff(after, want, noon); len(again) > 0 {
			t.Fatalf("second run: %+v", again)
		}
		if self := Diff(have, seatsOf(have), noon); len(self) > 0 {
			t.Fatalf("against itself: %+v", self)
		}
		if len(after) != len(want) {
			t.Fatalf("%d memberships for %d seats", len(after), len(want))
		}
		for i, m := range after {
			if m.Group != want[i].Group || m.Role != want[i].Role(noon) || m.Role != roleAt(m.Reasons, noon) || len(m.Reasons) == 0 {
				t.Fatalf("have %+v, want %+v", m, want[i])
			}
			for _, old := range have {
				if old.Group == m.Group && old.ID != m.ID {
					t.Fatalf("a membership that lasts changed its id")
				}
			}
		}
	})
}

// Whatever order facts arrive in, and whatever stood in between, the same facts lead to the same seats.
func TestDesiredDependsOnFactsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var path [][]Match
		for range rapid.IntRange(1, 5).Draw(t, "states") {
			var matches []Match
			for _, s := range drawSeats(t) {
				for _, r := range s.Reasons {
					if r.Kind == KindRule {
						matches = append(matches, Match{Kind: KindRule, Group: s.Group, Role: r.Role, Ref: r.Ref})
					}
				}
			}
			path = append(path, matches)
		}
		s := Standing{Version: 3, Live: func(id.Group) bool { return true }}
		var have []Membership
		for _, matches := range path {
			have = enact(have, Diff(have, Desired(have, matches, s, noon), noon))
			if again := Diff(have, Desired(have, matches, s, noon), noon); len(again) > 0 {
				t.Fatalf("not idempotent: %+v", again)
			}
		}
		last := path[len(path)-1]
		direct := enact(nil, Diff(nil, Desired(nil, last, s, noon), noon))
		if d := Diff(have, seatsOf(direct), noon); len(d) > 0 {
			t.Fatalf("the way there mattered: %+v", d)
		}
	})
}

func TestDesiredCarriesWhatNoRuleGave(t *testing.T) {
	have := []Membership{
		{ID: "m1", Group: "a", Role: policies.Owner, Reasons: []Reason{{Kind: KindRule, Ref: "a/x", Role: policies.Participant}, {Kind: KindGrant, Ref: "g", Role: policies.Owner}}},
		{ID: "m2", Group: "b", Role: policies.Vendor, Reasons: []Reason{{Kind: KindGrant, Ref: "g", Role: policies.Vendor, Until: noon}}},
		{ID: "m3", Group: "c", Role: policies.Owner, Reasons: []Reason{{Kind: KindKeep, Ref: "h", Role: policies.Owner, Until: noon.Add(time.Minute)}}},
		{ID: "m4", Group: "gone", Role: policies.Owner, Reasons: []Reason{{Kind: KindKeep, Ref: "h", Role: policies.Owner}}},
	}
	live := func(g id.Group) bool { return g != "gone" }
	for name, c := range map[string]struct {
		s    Standing
		want string
	}{
		"works here": {Standing{Live: live}, "a:owner c:owner "},
		"absent":     {Standing{Live: live, Absent: true}, "a:owner c:owner "},
		"terminated": {Standing{Live: live, Terminated: true}, "c:owner "},
	} {
		got := ""
		for _, seat := range Desired(have, nil, c.s, noon) {
			got += string(seat.Group) + ":" + string(seat.Role(noon)) + " "
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	causes := map[id.Group]Cause{}
	s := Standing{Live: live}
	for _, c := range Diff(have, Desired(have, nil, s, noon), noon) {
		causes[c.Group] = causeOf(c, s, noon)
	}
	if causes["b"] != CauseExpiry || causes["gone"] != CausePolicy {
		t.Errorf("causes %v", causes)
	}
}

func TestStays(t *testing.T) {
	before, soon, late := noon.Add(-time.Hour), noon.Add(time.Hour), noon.Add(2*time.Hour)
	p, o := policies.Participant, policies.Owner
	for i, c := range []struct {
		reasons []Reason
		want    []stay
	}{
		{[]Reason{{Kind: KindGrant, Role: p, Until: soon}, {Kind: KindRule, Role: p}}, []stay{{role: p}}},
		{[]Reason{{Kind: KindGrant, Role: p, Until: soon}, {Kind: KindKeep, Role: p, Until: soon}}, []stay{{role: p}}},
		{[]Reason{{Kind: KindGrant, Role: p, From: soon, Until: late}}, []stay{{p, soon, late}}},
		{[]Reason{{Kind: KindGrant, Role: p, From: before, Until: soon}, {Kind: KindRule, Role: p, From: soon}}, []stay{{role: p, from: before}}},
		{[]Reason{{Kind: KindRule, Role: p, Until: soon}, {Kind: KindRule, Role: o, From: soon}}, []stay{{p, time.Time{}, soon}, {o, soon, time.Time{}}}},
		{[]Reason{{Kind: KindRule, Role: p}, {Kind: KindGrant, Role: o, From: soon, Until: late}}, []stay{{p, time.Time{}, soon}, {o, soon, late}}}, // the rest when that is over
		{[]Reason{{Kind: KindRule, Role: p, Until: before}}, []stay{{p, time.Time{}, before}}},
	} {
		if got := stays(c.reasons, noon); !slices.Equal(got, c.want) {
			t.Errorf("%d: %+v, want %+v", i, got, c.want)
		}
	}
}

func TestFreezeTuples(t *testing.T) {
	f := directory.Freeze{Person: "per_1", Slot: "disabled.src_1", From: noon.Add(-time.Second), Until: noon.Add(time.Hour)}
	got := freezeTuples(f, directory.LeaveRule{}, noon)
	if got[0].User != "freeze:disabled.src_1#subject" || got[0].Relation != "frozen" || got[0].Object != "org:main" {
		t.Errorf("org: %+v", got[0])
	}
	if got[1].User != "user:per_1" || got[1].Object != "freeze:disabled.src_1" || !got[1].From.IsZero() || !got[1].Until.Equal(f.Until) {
		t.Errorf("an open freeze begins at once, whatever the clock of another node says: %+v", got[1])
	}
	f.From = noon.Add(time.Minute)
	if got := freezeTuples(f, directory.LeaveRule{}, noon); !got[1].From.Equal(f.From) {
		t.Errorf("a planned one begins when planned: %+v", got[1])
	}
}
