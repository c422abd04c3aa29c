package scim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A client that accepts a resource gets a small group back from a PATCH, and nothing of a large one.
func TestAPatchOfALargeGroupAnswersNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		var members []string
		for i := range shownMembers {
			members = append(members, fmt.Sprintf(`{"value":"later-%03d"}`, i))
		}
		group := s.group(`"displayName":"g","members":[` + strings.Join(members, ",") + `]`).id()
		rename := patch(`{"op":"replace","path":"displayName","value":"%s"}`)
		r := s.want(200, s.do("PATCH", "/Groups/"+group, strings.Replace(rename, "%s", "h", 1), "Accept: application/scim+json"))
		if list := elements(r.body, "members"); len(list) != shownMembers || r.body["displayName"] != "h" {
			t.Errorf("answered %d members of %v", len(list), r.body["displayName"])
		}
		s.want(204, s.do("PATCH", "/Groups/"+group, patch(`{"op":"add","path":"members","value":[{"value":"one more"}]}`), "Accept: application/scim+json"))
		r = s.want(204, s.do("PATCH", "/Groups/"+group, strings.Replace(rename, "%s", "i", 1), "Accept: application/scim+json"))
		if r.raw != "" || r.header.Get("Etag") == "" {
			t.Errorf("answered %q, ETag %q", r.raw, r.header.Get("Etag"))
		}
		if n := len(s.members(group)); n != shownMembers+1 {
			t.Errorf("%d members", n)
		}
	})
}

// Whatever a schema suggests as a value is taken.
func TestSuggestedValuesAreTaken(t *testing.T) {
	suggested := 0
	for _, a := range employmentSchema().Attributes {
		for _, value := range a.CanonicalValues() {
			suggested++
			if a.Name() == "timeZone" {
				if _, err := time.LoadLocation(value); err != nil {
					t.Error(err)
				}
			} else if at, err := instant(value, time.UTC, false); err != nil || at.IsZero() {
				t.Errorf("%s %q: %v", a.Name(), value, err)
			}
		}
	}
	if suggested != 13 {
		t.Errorf("%d values are suggested", suggested)
	}
}

// An instant that was answered finds the resource it was answered of, however finely the store keeps it.
func TestMomentsCompareAsShown(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		s.store.Now = func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 123_456_000, time.UTC) }
		s.user(`"userName":"u"`)
		for filter, want := range map[string]string{
			`eq "2026-03-02T09:00:00.123Z"`: "1", `ne "2026-03-02T09:00:00.123Z"`: "0", `le "2026-03-02T17:00:00.123+08:00"`: "1", `ge "2026-03-02T09:00:00.123Z"`: "1",
			`gt "2026-03-02T09:00:00.123Z"`: "0", `lt "2026-03-02T09:00:00.123Z"`: "0", `eq "2026-03-02T09:00:00.1234Z"`: "0", `ne "2026-03-02T09:00:00.1234Z"`: "1",
			`lt "2026-03-02T09:00:00.1234Z"`: "1", `ge "2026-03-02T09:00:00.1234Z"`: "0", `lt "2026-03-02T09:00:00.124Z"`: "1", `gt "2026-03-02T09:00:00.122Z"`: "1",
		} {
			for _, name := range []string{"meta.created ", "meta.lastModified "} {
				if got := s.total("/Users", name+filter); got != want {
					t.Errorf("%s%s finds %s", name, filter, got)
				}
			}
		}
	})
}

// A client that makes a resource and looks for it on the first page, as published suites do, finds it among many.
func TestTheNewestComesFirst(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		var made []string
		for i := range 5 {
			made = append(made, s.user(fmt.Sprintf(`"userName":"u%d"`, i)).id())
		}
		slices.Reverse(made)
		for _, page := range []string{"startIndex=1&count=2", "count=2&cursor="} {
			r := s.want(200, s.do("GET", "/Users?"+page, ""))
			var got []string
			for range len(made) {
				for _, e := range elements(r.body, "Resources") {
					got = append(got, text(e, "id"))
				}
				next := fmt.Sprintf("startIndex=%d&count=2", len(got)+1)
				if strings.Contains(page, "cursor") {
					if next = "count=2&cursor=" + text(r.body, "nextCursor"); strings.HasSuffix(next, "=") {
						break
					}
				} else if len(got) == len(made) {
					break
				}
				r = s.want(200, s.do("GET", "/Users?"+next, ""))
			}
			if !slices.Equal(got, made) {
				t.Errorf("%s: %v, want %v", page, got, made)
			}
		}
	})
}
