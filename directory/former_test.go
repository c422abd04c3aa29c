package directory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// holds: J13
//
// People are found by what they were called, as long as it is said, until somebody says no, and by nothing else of the past.
func TestFormerNames(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		put := func(name, user, mail, department string) directory.Record {
			return w.put("k1", func(r *directory.Record) {
				r.DisplayName, r.UserName, r.Department, r.Emails = name, user, department, []directory.Email{{Value: mail, Primary: true}}
			})
		}
		find := func(text string, want int) {
			t.Helper()
			page, err := w.People(w.ctx, directory.Query{Text: text})
			if err != nil || len(page.People) != want {
				t.Errorf("%q finds %d, want %d: %v", text, len(page.People), want, err)
			}
		}
		p := put("Müller Anna", "anna.mueller", "am@corp.example", "Vertrieb").Person
		put("Schmidt Anna", "anna.schmidt", "as@corp.example", "Einkauf")
		for text, want := range map[string]int{"müller": 1, "MÜLLER anna": 1, "schmidt": 1, "am@corp": 1, "as@corp": 1, "anna.mueller": 1, "vertrieb": 0, "einkauf": 1, "100%": 0} {
			find(text, want)
		}
		w.pass(directory.FormerNames - time.Second)
		find("müller", 1)
		w.pass(time.Second)
		find("müller", 0)
		if err := w.ForgetLosses(w.ctx); err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := d.Read(w.ctx).Raw("select count(*) from former_names").Scan(&rows).Error; err != nil || rows != 0 {
			t.Errorf("%d rows are left, %v", rows, err)
		}
		put("Weber Anna", "anna.weber", "aw@corp.example", "Einkauf")
		find("schmidt", 1)
		if err := w.ForgetNames(w.ctx, directory.Cause{Actor: "hr"}, p); err != nil {
			t.Fatal(err)
		}
		find("schmidt", 0)
		find("weber", 1)
		if err := w.ForgetNames(w.ctx, directory.Cause{}, "per_none"); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
		w.Former = 0
		put("Koch Anna", "anna.koch", "ak@corp.example", "Einkauf")
		find("weber", 0)
		find("koch", 1)
	})
}
