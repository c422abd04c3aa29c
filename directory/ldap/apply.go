package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// below is a directory that can be read from one entry down. Client is one.
type below interface {
	Below(ctx context.Context, dn string, emit func([]Object) error) (Proof, error)
}

// news is what some changes of a stream come to: the last word on each entry.
type news struct {
	mark   uint32
	reader Reader
	sp     *space
	rep    *Report

	shown   []Object // a Key of "" was overtaken
	at      map[string]int
	between map[string][]int    // where units were shown before, under other names: who came in there moves along
	called  map[string][]string // the names under which units were shown: who came in there went with them, where they are gone
	looked  map[string]bool     // looked up, so that they may be newer than what was told
	lost    []string
	left    map[string]bool // told to be gone, or not named, whatever was told or found since
	entered map[string]bool // units that were looked into
	crews   []Change
	unknown []string // named as present, and nothing is known of them
	whole   *Change
	live    bool // it was told as it happened
	follows bool // what is beneath a new unit is not told by itself
	reread  bool // more differs than is looked at one by one
	again   bool // these were looked at before
}

// note takes one change.
func (t *news) note(c Change) {
	switch c.Op {
	case OpUpsert:
		t.show(c.Object)
	case OpDelete:
		for _, k := range c.Keys {
			t.hide(k)
			t.lost = append(t.lost, k)
			t.left[k] = true
		}
	case OpPresent:
		for _, k := range c.Keys {
			if o := t.sp.objects[k]; o != nil {
				o.mark = t.mark
			} else if _, shown := t.at[k]; !shown {
				t.unknown = append(t.unknown, k)
			}
		}
	case OpMembers:
		t.crews = append(t.crews, c)
	case OpRefreshed:
		if c.Whole {
			t.whole = &c
		}
	}
}

func (t *news) show(o Object) {
	if i, ok := t.at[o.Key]; ok && o.Class == ClassUnit && t.shown[i].Class == ClassUnit {
		if t.between == nil {
			t.between = map[string][]int{}
		}
		t.between[o.Key] = append(t.between[o.Key], i)
	} else {
		t.hide(o.Key)
	}
	if o.Class == ClassUnit {
		if t.called == nil {
			t.called = map[string][]string{}
		}
		t.called[o.Key] = append(t.called[o.Key], fold(o.DN))
	}
	t.at[o.Key] = len(t.shown)
	t.shown = append(t.shown, o)
	if known := t.sp.objects[o.Key]; known != nil {
		known.mark = t.mark
	}
}

// hide forgets what was told of an entry before: its last word counts.
func (t *news) hide(key string) {
	if i, ok := t.at[key]; ok {
		t.shown[i].Key = ""
		delete(t.at, key)
	}
	for _, i := range t.between[key] {
		t.shown[i].Key = ""
	}
	delete(t.between, key)
	t.lost = slices.DeleteFunc(t.lost, func(k string) bool { return k == key })
	if len(t.crews) > 0 {
		t.crews = slices.DeleteFunc(t.crews, func(c Change) bool { return c.Object.Key == key })
	}
}

// apply brings changes into the store, with cursor where it is not empty. It answers the keys of entries that were renamed or went: what refers to
// them by name is to be looked at again.
func (s *Syncer) apply(ctx context.Context, rep *Report, t *news, cursor Cursor) (doubts []string, err error) {
	defer s.over()
	ctx, step := trace.Begin(ctx, "ldap.changes", "rollcall.source", s.Source.ID, "rollcall.run", rep.Run, "rollcall.entries", len(t.shown)+len(t.lost))
	defer func() { step.End(err) }()
	conf, err := s.config().prepare()
	if err != nil {
		return nil, err
	}
	p := newPass(conf, s.Source, t.sp, rep)
	t.looked = map[string]bool{}
	p.mark, p.live, p.once, p.looked = t.mark, t.live, !t.again, t.looked
	if err := t.look(ctx); err != nil {
		return nil, err
	}
	gone, err := t.confirm(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.enter(ctx); err != nil {
		return nil, err
	}
	if again, err := t.reborn(ctx, s, conf, gone); err != nil {
		return nil, err
	} else if again {
		return nil, errDoubt
	}
	for _, o := range t.shown {
		if o.Key == "" {
			continue
		}
		if err := p.put(o); err != nil {
			return nil, err
		}
	}
	p.lost, p.proof = gone, "told to be gone, and not found by id"
	if t.whole != nil {
		p.proof = t.whole.Proof + ", and not found by id"
	}
	p.index()
	for _, c := range t.crews {
		if o := t.sp.objects[c.Object.Key]; o != nil && o.class == ClassGroup {
			p.enlist(o, c)
		}
	}
	if p.tree {
		if err := s.knownUnits(ctx, p); err != nil {
			return nil, err
		}
	}
	p.follow()
	if err := s.comeBack(ctx, p); err != nil {
		return nil, err
	}
	if t.follows {
		p.newcomers()
	}
	if err := s.members(ctx, p); err != nil {
		return nil, err
	}
	if err := s.write(ctx, p, func() []directory.Change {
		if cursor == "" || t.reread { // else what is to be read again would be lost with this process
			return nil
		}
		return []directory.Change{directory.PutCursor{Source: s.Source.ID, Value: cursorOf(s.config(), cursor)}}
	}); err != nil {
		return nil, err
	}
	p.tellFormers()
	return p.doubts(), nil
}

// comeBack notes whether somebody is new here whom the store knows from before.
func (s *Syncer) comeBack(ctx context.Context, p *pass) error {
	for o := range p.people {
		if o.row || p.back {
			continue
		}
		switch _, err := s.Store.RecordByKey(ctx, s.Source.ID, o.key); {
		case err == nil:
			p.back = true
		case !errors.Is(err, directory.ErrNotFound):
			return err
		}
	}
	return nil
}

// newcomers doubts the names that lead to nobody and begin as that of somebody who is new: they may come from outside of the base, and where references
// follow them nobody is told.
func (p *pass) newcomers() {
	came := map[string]bool{}
	first := func(n *name) string {
		rdn, _, _ := strings.Cut(n.folded, ",")
		return rdn
	}
	note := func(o *object) {
		if !o.row && o.name != nil {
			came[first(o.name)] = true
		}
	}
	for o := range p.people {
		note(o)
	}
	for o := range p.groups {
		note(o)
	}
	if len(came) == 0 {
		return
	}
	loose := func(n *name) bool { return n != nil && n.owner == nil && came[first(n)] }
	for _, o := range p.sp.objects {
		if loose(o.manager) || slices.ContainsFunc(o.waits, loose) {
			p.unsure[o] = true
		}
	}
}

func (s *Syncer) knownUnits(ctx context.Context, p *pass) error {
	all, err := s.Store.UnitsOf(ctx, s.Source.ID)
	if err != nil {
		return err
	}
	p.known = map[string]directory.Unit{}
	for _, u := range all {
		p.known[u.Key] = u
	}
	return nil
}

// enlist notes who joined and who left a group, by key: one that nobody has yet is kept by the store until somebody comes.
func (p *pass) enlist(o *object, c Change) {
	crew := p.crewOf(o)
	among := func(list []string) func(string) bool { return func(k string) bool { return slices.Contains(list, k) } }
	crew.join = append(slices.DeleteFunc(crew.join, among(c.Remove)), c.Add...)
	crew.leave = append(slices.DeleteFunc(crew.leave, among(c.Add)), c.Remove...)
}

// unitsMost is how many new units of one batch are looked into; beyond that everything is read again.
const unitsMost = 20

// look reads what a stream does not tell: the entries that are only named, groups of which members changed and that nobody knows, and what came
// with a unit from elsewhere.
func (t *news) look(ctx context.Context) error {
	var groups []string
	for _, c := range t.crews {
		if _, shown := t.at[c.Object.Key]; !shown && t.sp.objects[c.Object.Key] == nil {
			groups = append(groups, c.Object.Key)
		}
	}
	for _, class := range []Class{ClassUnit, ClassPerson, ClassGroup} {
		keys := t.unknown
		if class == ClassGroup {
			keys = slices.Concat(keys, groups)
		}
		if err := t.read(ctx, class, keys); err != nil {
			return err
		}
	}
	t.unknown = nil
	return t.enter(ctx)
}

// enter reads what is beneath units that are new, or were away.
func (t *news) enter(ctx context.Context) error {
	reader, can := t.reader.(below)
	for i, n := 0, 0; t.follows && i < len(t.shown); i++ { // it grows meanwhile: units within units are read with the first
		o := t.shown[i]
		if o.Key == "" || o.Class != ClassUnit || t.sp.objects[o.Key] != nil && !t.left[o.Key] || t.at[o.Key] != i || t.entered[o.Key] {
			continue
		}
		t.entered[o.Key] = true
		if n++; n > unitsMost || !can {
			t.reread = true
			return nil
		}
		proof, err := reader.Below(ctx, o.DN, func(objects []Object) error {
			for _, below := range objects {
				if _, shown := t.at[below.Key]; !shown && t.sp.objects[below.Key] == nil {
					t.show(below)
				}
			}
			return nil
		})
		if err != nil || !proof.Complete() {
			t.reread = true // the unit may be gone already
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// read looks entries up and shows them.
func (t *news) read(ctx context.Context, class Class, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	found, err := t.reader.Lookup(ctx, class, keys)
	if err != nil {
		return fmt.Errorf("%w: %d entries could not be looked up: %w", ErrIncomplete, len(keys), err)
	}
	for _, o := range found {
		t.looked[o.Key] = true
		t.show(o)
	}
	return nil
}
