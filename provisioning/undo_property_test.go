package provisioning_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// said is the last word of one source about one person, and until when it is set aside.
type said struct {
	source   id.Source
	word     string // active, inactive, deleted, "" (knows nothing)
	at       time.Time
	aside    time.Time
	disabled bool // of deleted: it said inactive before
}

// modelled is one person of the model.
type modelled struct {
	key    string
	id     id.Person
	says   []said
	veto   bool
	before string // the places when access was last there
}

// access says what the words, the vetoes and the undone of somebody amount to: nothing of the code under test.
func (m modelled) access(now time.Time) bool {
	live, last := 0, said{}
	for _, s := range m.says {
		switch {
		case s.word == "deleted" && !s.at.Before(last.at):
			last = s
		case s.word == "active" || s.word == "inactive":
			live++
			if s.word == "inactive" && !now.Before(s.aside) {
				return false
			}
		}
	}
	return !m.veto && (live > 0 && !m.keptOut(now) || live == 0 && now.Before(last.aside))
}

// keptOut tells whether a source deleted somebody whom it had disabled, and no other has said anything new since.
func (m modelled) keptOut(now time.Time) bool {
	return slices.ContainsFunc(m.says, func(gone said) bool {
		return gone.word == "deleted" && gone.disabled && !now.Before(gone.aside) && !slices.ContainsFunc(m.says, func(s said) bool {
			return (s.word == "active" || s.word == "inactive") && s.at.After(gone.at)
		})
	})
}

// deleted tells whether a source deleted the record it had, and nobody set that aside: its groups know the person no more.
func (m modelled) deleted(now time.Time) bool {
	return slices.ContainsFunc(m.says, func(s said) bool { return s.word == "deleted" && !now.Before(s.aside) })
}

// known tells whether a source has a record.
func (m modelled) known() bool {
	return slices.ContainsFunc(m.says, func(s said) bool { return s.word == "active" || s.word == "inactive" })
}

// undoModel runs random words, vetoes, undos and days against the model.
type undoModel struct {
	*world
	t      *rapid.T
	other  directory.Source
	people []*modelled
}

func (m *undoModel) placesOf(p id.Person) string {
	var rows []struct{ ID, GroupID, Role, Since string }
	m.ok(m.db.Read(ctx).Raw("select id, group_id, role, since from memberships where person = ? and ended_at is null order by id", p).Scan(&rows).Error)
	return fmt.Sprint(rows)
}

// say has a source say a word about somebody, once more or anew.
func (m *undoModel) say(p *modelled, i int, word string) {
	s := &p.says[i]
	if p.access(m.clock()) {
		p.before = m.placesOf(p.id)
	}
	m.pass(time.Second)
	cause := directory.Cause{Source: s.source}
	var change directory.Change
	if word == "deleted" {
		if s.word == "" || s.word == "deleted" {
			return
		}
		change = directory.DeleteRecord{Source: s.source, Key: p.key}
	} else {
		r := m.record(p.key, "dept=R&D active="+map[string]string{"active": "true", "inactive": "false"}[word])
		r.Source, r.Title = s.source, rapid.SampledFrom([]string{"", "Engineer"}).Draw(m.t, "title")
		change = directory.PutRecord{Record: r}
	}
	_, err := m.store().Apply(ctx, cause, change)
	m.ok(err)
	came, went := s.word == "deleted" && word != "deleted", s.word != "deleted" && word == "deleted"
	if s.word != word {
		s.aside, s.at, s.disabled = time.Time{}, m.clock(), s.word == "inactive"
	}
	if s.word = word; came || went && p.known() { // somebody else's word about what the person is, not about access
		p.before = m.placesOf(p.id)
	}
	if p.keptOut(m.clock()) { // as if they had left: what they had may be cleaned up, and they begin anew
		p.before = ""
	}
}

func (m *undoModel) store() *directory.Store { return m.world.people }

// set notes in the model that what a source says of these people is set aside.
func (m *undoModel) set(people []id.Person, source id.Source, until time.Time) {
	for _, p := range m.people {
		for i := range p.says {
			if slices.Contains(people, p.id) && p.says[i].source == source && (p.says[i].word == "inactive" || p.says[i].word == "deleted") {
				p.says[i].aside = until
			}
		}
	}
}

// restored compares the places of whom an undo brought back with those before.
func (m *undoModel) restored(done provisioning.Restored, source id.Source) {
	m.set(done.People, source, done.Until)
	for _, p := range m.people {
		if slices.Contains(done.People, p.id) && p.access(m.clock()) && p.before != "" && m.placesOf(p.id) != p.before {
			m.t.Fatalf("%s had %s, has %s", p.key, p.before, m.placesOf(p.id))
		}
		// Where another source's last word still denies, or took its groups along, what that takes waits on.
		if places := m.places(p.id); slices.Contains(done.People, p.id) && p.access(m.clock()) && !p.deleted(m.clock()) && strings.Contains(places, "!") {
			m.t.Fatalf("%s is brought back, and a removal still waits: %s", p.key, places)
		}
	}
}

// check compares the access that is in force with what the model says.
func (m *undoModel) check() {
	now := m.clock()
	m.ok(m.index.CatchUp(ctx, 0))
	for _, p := range m.people {
		sees := strings.HasPrefix(m.sees(p.id), "apollo/general")
		if sees != p.access(now) {
			m.t.Fatalf("%s sees %q at %s: %+v", p.key, m.sees(p.id), now, p)
		}
	}
}

func (m *undoModel) burst() (provisioning.Hold, bool) {
	m.ok(m.r.Notice(ctx, m.source.ID))
	for _, h := range m.holds(provisioning.HoldOpen) {
		if h.Breach.Cause == provisioning.CauseBurst && h.Breach.Source == m.source.ID {
			return h, true
		}
	}
	return provisioning.Hold{}, false
}

func (m *undoModel) step() {
	p := rapid.SampledFrom(m.people).Draw(m.t, "person")
	source := rapid.IntRange(0, len(p.says)-1).Draw(m.t, "source")
	switch what := rapid.SampledFrom([]string{"inactive", "inactive", "deleted", "active", "active", "veto", "lift", "all", "some", "one", "one", "confirm", "day", "fortnight", "tend"}).Draw(m.t, "step"); what {
	case "inactive", "deleted", "active":
		m.say(p, source, what)
	case "veto":
		if p.access(m.clock()) {
			p.before = m.placesOf(p.id)
		}
		_, err := m.store().Apply(ctx, admin, directory.FreezePerson{Person: p.id, Veto: true})
		m.ok(err)
		p.veto = true
	case "lift":
		freezes, err := m.store().Freezes(ctx, p.id)
		m.ok(err)
		for _, f := range freezes {
			if f.Cause == directory.CauseSecurity && f.LiftedAt.IsZero() {
				_, err := m.store().Apply(ctx, admin, directory.LiftFreeze{Freeze: f.ID})
				m.ok(err)
			}
		}
		p.veto = false
	case "all", "some", "confirm":
		h, open := m.burst()
		if !open {
			return
		}
		if what == "confirm" {
			_, err := m.r.Release(ctx, admin, h.ID)
			m.ok(err)
			return
		}
		var chosen []id.Person
		if what == "some" {
			chosen = []id.Person{rapid.SampledFrom(h.Freezes).Draw(m.t, "chosen").Person}
		}
		done, err := m.r.Restore(ctx, admin, h.ID, chosen)
		m.ok(err)
		m.restored(done, m.source.ID)
		if after, err := m.r.Hold(ctx, h.ID); err != nil || what == "all" && after.State == provisioning.HoldOpen {
			m.t.Fatalf("%v: nobody waits, %+v", err, after)
		}
	case "one":
		standing, err := m.store().StandingFreezes(ctx, []id.Person{p.id})
		m.ok(err)
		for _, f := range standing[p.id] {
			if f.Cause == directory.CauseDisabled || f.Cause == directory.CauseDeleted {
				done, err := m.r.RestorePerson(ctx, admin, p.id, f.ID)
				m.ok(err)
				m.restored(done, f.Source)
				return
			}
		}
	case "day":
		m.pass(24 * time.Hour)
	case "fortnight":
		m.pass(provisioning.KeepFor)
	case "tend":
		m.ok(m.r.Tend(ctx))
	}
}

// teamText is a place that follows from a group of the source: who is deleted there is in no group any more.
const teamText = `  - key: team
    name: {en: Team, zh: 小组}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: members, role: collaborator, when: "'hr/team' in person.groups"}
`

// Whatever a source says, and whatever is undone, confirmed or vetoed between: access is what the last words and undos amount
// to, at each call's return; an undo lifts nothing but what was chosen, and whom it brings back has the very places of before.
func TestUndoModel(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.policy("apiVersion: rollcall/v1\nguard:\n  cleanup: {people: 1, percent: 0}\n" + strings.TrimPrefix(policyText, "apiVersion: rollcall/v1\n") + teamText)
		other, err := w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "badges", Kind: directory.KindLDAP, Priority: 20, Correlate: []string{directory.CorrelateEmployeeNumber}})
		w.ok(err)
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			w.pass(30 * 24 * time.Hour)
			m := &undoModel{world: w, t: t, other: other}
			var members []string
			for i := range 3 {
				p := &modelled{key: fmt.Sprintf("r%dp%d", round, i)}
				p.says = append(p.says, said{source: w.source.ID})
				r := w.record(p.key, "dept=R&D")
				p.id = w.apply(directory.PutRecord{Record: r}).Records[0].Person
				if i == 0 {
					p.says = append(p.says, said{source: other.ID, word: "active", at: w.clock()})
					r.Source = other.ID
					applied, err := w.people.Apply(ctx, directory.Cause{Source: other.ID}, directory.PutRecord{Record: r})
					w.ok(err)
					if _, err := w.people.Apply(ctx, admin, directory.LinkRecord{Source: other.ID, Link: applied.Records[0].Link, Person: p.id}); err != nil {
						t.Fatal(err)
					}
				}
				p.says[0].word, p.says[0].at = "active", w.clock()
				m.people, members = append(m.people, p), append(members, p.key)
			}
			w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.source.ID, Key: "team", DisplayName: "team"}, Members: members})
			m.check()
			for range rapid.IntRange(5, 30).Draw(t, "steps") {
				m.step()
				m.check()
			}
		})
		w.sound()
	})
}
