package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
)

// fullPass is one reading of the whole directory beside the space. What was shown and is the same is only marked.
type fullPass struct {
	s       *Syncer
	p       *pass
	mark    uint32
	trust   bool                  // what was written is believed to stand
	strange []directory.RecordKey // that are not deleted, and of which the space knows nothing
	fresh   map[string]bool       // keys that were shown and are not in the space
	count   map[Class]int
	visible bool // a group showed members
}

// compare reads the whole directory and writes what differs. Without trust everything is compared with the store itself.
func (s *Syncer) compare(ctx context.Context, rep *Report, trust bool) error {
	reader, err := s.reader()
	if err != nil {
		return err
	}
	p, err := s.config().prepare()
	if err != nil {
		return err
	}
	sp, state, err := s.open(ctx)
	if err != nil {
		return err
	}
	c := &fullPass{s: s, p: newPass(p, s.Source, sp, rep), mark: sp.nextMark(), trust: trust && state.mapping == mappingKey(s.config()),
		fresh: map[string]bool{}, count: map[Class]int{}}
	c.p.whole, c.p.first = true, true
	if err := s.Store.EachRecordKey(ctx, s.Source.ID, c.know); err != nil {
		return fmt.Errorf("read what is known of source %s: %w", s.Source.Name, err)
	}
	begun := time.Now()
	if client, ok := reader.(interface {
		skim(context.Context, same, func([]Object) error) (Proof, error)
	}); ok && c.trust {
		rep.Proof, err = client.skim(ctx, c.skimmed, c.read)
	} else {
		rep.Proof, err = reader.Snapshot(ctx, c.read)
	}
	rep.ReadTime = time.Since(begun)
	if err != nil || !rep.Proof.Complete() {
		return s.incomplete(ctx, c, err)
	}
	if err := c.plausible(); err != nil {
		rep.find(Error, "implausible", "%v", err)
		pairs, found := c.reborn(ctx)
		if !errors.Is(found, ErrReborn) {
			return errors.Join(err, found)
		}
		return errors.Join(err, s.disables(ctx, c, pairs))
	}
	if rep.Proof.Counts[ClassPerson] == 0 {
		rep.find(Warning, "no_people", "no person was found: look at base and person_classes")
	}
	c.p.raced, c.p.proof = rep.Proof.Moved, rep.Proof.text()
	if err := c.missing(ctx, reader); err != nil {
		return err
	}
	if pairs, err := c.reborn(ctx); err != nil {
		rep.find(Error, "reborn", "%v", err)
		if errors.Is(err, ErrReborn) {
			err = errors.Join(err, s.disables(ctx, c, pairs))
		}
		return err
	}
	return s.settle(ctx, c)
}

// know notes a record that the store has.
func (c *fullPass) know(k directory.RecordKey) {
	c.p.first = false
	if !k.DeletedAt.IsZero() {
		return
	}
	if o := c.p.sp.objects[k.Key]; o != nil {
		o.known, o.there = c.mark, k.AbsentSince.IsZero()
	} else {
		c.strange = append(c.strange, k)
	}
}

// standing tells whether the store has a record of o that is not absent.
func (c *fullPass) standing(o *object) bool { return o.known == c.mark && o.there }

// same marks a person who is as it was when it was written.
func (c *fullPass) same(key, dn []byte, hash digest) (string, bool) {
	o := c.p.sp.objects[string(key)]
	if o == nil || o.class != ClassPerson || o.hash != hash || o.dn != string(dn) || !c.standing(o) {
		return "", false
	}
	o.mark = c.mark
	c.p.rep.tally(ClassPerson, directory.Unchanged, 1)
	return o.key, true
}

// skimmed is same for people that are not read any further.
func (c *fullPass) skimmed(key, dn []byte, hash digest) (string, bool) {
	known, ok := c.same(key, dn, hash)
	if !ok {
		return "", false
	}
	if c.count[ClassPerson]++; c.count[ClassPerson]%batch == 0 {
		c.s.progress(Progress{Phase: "read", Class: ClassPerson, Done: c.count[ClassPerson]})
	}
	return known, true
}

// read takes one page.
func (c *fullPass) read(objects []Object) error {
	if len(objects) == 0 {
		return nil
	}
	c.count[objects[0].Class] += len(objects)
	c.s.progress(Progress{Phase: "read", Class: objects[0].Class, Done: c.count[objects[0].Class]})
	for _, o := range objects {
		known := c.p.sp.objects[o.Key]
		if known == nil || known.class != o.Class {
			c.fresh[o.Key] = true
		} else {
			known.mark = c.mark
		}
		if o.Class == ClassPerson && known != nil && c.trust {
			if _, ok := c.same([]byte(o.Key), []byte(o.DN), c.p.d.entry(o)); ok {
				continue
			}
		}
		if known != nil && !c.trust {
			known.hash, known.members = digest{}, digest{}
		}
		if known != nil && o.Class == ClassPerson && !c.standing(known) {
			known.hash = digest{} // the store took its record away meanwhile
		}
		if err := c.p.put(o); err != nil {
			return err
		}
		if o.Class == ClassGroup {
			c.visible = c.visible || c.p.shown[len(c.p.shown)-1].group.visible
		}
	}
	return nil
}

func (c *fullPass) met(key string) bool {
	o := c.p.sp.objects[key]
	return c.fresh[key] || o != nil && o.mark == c.mark
}

// plausibleFrom is from how many people on a directory that shows none of them is another one.
const plausibleFrom = 5

// plausible refuses a reading that is complete, and still cannot be this directory.
func (c *fullPass) plausible() error {
	live, met := len(c.strange), 0
	for _, k := range c.strange {
		if c.met(k.Key) {
			met++
		}
	}
	for _, o := range c.p.sp.objects {
		if o.known != c.mark {
			continue
		}
		if live++; c.met(o.key) {
			met++
		}
	}
	switch people := c.count[ClassPerson]; {
	case live > 0 && people == 0:
		return fmt.Errorf("%w: it shows no people, and %d are known: look at base, person_classes and the account's rights", ErrImplausible, live)
	case live >= plausibleFrom && met == 0:
		return fmt.Errorf("%w: none of the %d people it shows is among the %d that are known: is it another directory, or is id_attribute changed? "+
			"If they are the same people: rollcall source relink %s", ErrImplausible, people, live, c.s.Source.Name)
	}
	return nil
}

// missing finds who was not shown. People count as gone where the server does not know them when asked by id, either: an entry may slip from
// one page to another while it is renamed. A class of which nothing was shown, but something is known, stays: rights to read it
// are lost more often than all of it.
func (c *fullPass) missing(ctx context.Context, reader Reader) error {
	var people []string
	for _, k := range c.strange {
		if k.AbsentSince.IsZero() && !c.met(k.Key) {
			people = append(people, k.Key)
		}
	}
	for _, o := range c.p.sp.objects {
		if c.standing(o) && !c.met(o.key) {
			people = append(people, o.key)
		}
	}
	slices.Sort(people)
	if len(people) > 0 {
		found, err := reader.Lookup(ctx, ClassPerson, people)
		if err != nil {
			return fmt.Errorf("%w: %d absences could not be confirmed: %w", ErrIncomplete, len(people), err)
		}
		if len(found) > 0 {
			c.p.rep.find(Info, "slipped", "%s missed by the pages and found by their id", persons(len(found), "was", "were"))
		}
		there := map[string]bool{}
		for _, o := range found {
			there[o.Key] = true
			if err := c.read([]Object{o}); err != nil {
				return err
			}
		}
		people = slices.DeleteFunc(people, func(k string) bool { return there[k] })
	}
	if len(people) > 0 {
		c.p.rep.find(Warning, "absent", "%s no longer in the directory", persons(len(people), "is", "are"))
	}
	gone := map[string]bool{}
	for _, key := range people {
		gone[key] = true
		if c.p.sp.objects[key] == nil { // the space never knew it
			c.p.lost = append(c.p.lost, &object{key: key, class: ClassPerson})
		}
	}
	units, groups, err := c.stale(ctx)
	if err != nil {
		return err
	}
	for _, o := range c.p.sp.objects {
		if o.mark == c.mark {
			continue
		}
		if o.class != ClassPerson || gone[o.key] || !c.standing(o) { // nobody stands by it any more
			c.p.lost = append(c.p.lost, o)
		}
	}
	c.p.lost = append(c.p.lost, slices.Concat(units, groups)...)
	c.hidden(ClassUnit, "units_hidden", "unit")
	c.hidden(ClassGroup, "groups_hidden", "group")
	slices.SortFunc(c.p.lost, func(a, b *object) int { return depth(folded(a)) - depth(folded(b)) })
	return nil
}

// stale answers units and groups that the store has of the source and neither the directory nor the space knows.
func (c *fullPass) stale(ctx context.Context) (units, groups []*object, err error) {
	all, err := c.s.Store.UnitsOf(ctx, c.s.Source.ID)
	if err != nil {
		return nil, nil, err
	}
	c.p.known = map[string]directory.Unit{}
	for _, u := range all { // parents before children
		c.p.known[u.Key] = u
		if !c.fresh[u.Key] && c.p.sp.objects[u.Key] == nil {
			units = append(units, &object{key: u.Key, class: ClassUnit})
		}
	}
	list, err := c.s.groups(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range list {
		if !c.fresh[g.Key] && c.p.sp.objects[g.Key] == nil {
			groups = append(groups, &object{key: g.Key, class: ClassGroup})
		}
	}
	return units, groups, nil
}

// persons counts people, with the verb that goes with as many.
func persons(n int, one, several string) string {
	if n == 1 {
		return "1 person " + one
	}
	return fmt.Sprintf("%d people %s", n, several)
}

// hidden keeps a class of which nothing was shown.
func (c *fullPass) hidden(class Class, code, word string) {
	if c.count[class] > 0 {
		return
	}
	lost := func(o *object) bool { return o.class == class }
	before := len(c.p.lost)
	if c.p.lost = slices.DeleteFunc(c.p.lost, lost); len(c.p.lost) < before {
		c.p.rep.find(Warning, code, "no %s was found, and %d are known; they stay", word, before-len(c.p.lost))
	}
}

// settle writes what a complete reading showed.
func (s *Syncer) settle(ctx context.Context, c *fullPass) error {
	p, rep := c.p, c.p.rep
	c.strange, c.fresh = nil, nil
	if len(p.shown) >= largeFrom {
		defer thrifty()()
	}
	p.blind = c.count[ClassGroup] > 0 && !c.visible
	p.index()
	p.follow()
	doubles, unknown, renamed := 0, 0, 0
	for _, o := range p.sp.objects {
		if o.class == ClassPerson && o.user != "" && !p.sp.keeps(o) {
			doubles++
		}
		switch {
		case o.class != ClassPerson || o.manager == nil || o.manager.owner != nil:
		case o.bossRenamed():
			renamed++
		default:
			unknown++
		}
	}
	if doubles > 0 {
		rep.find(Warning, "login_twice", "%s the login of another entry, which had it first; they are kept without it", persons(doubles, "has", "have"))
	}
	if unknown > 0 {
		rep.find(Info, "manager_unknown", "%s a manager who is not in the directory", persons(unknown, "names", "name"))
	}
	if renamed > 0 {
		rep.find(Warning, "manager_renamed", "%s a manager as they were called before they were renamed: the server does not mend references; they keep that manager", persons(renamed, "names", "name"))
	}
	p.orphans()
	if p.blind {
		rep.find(Warning, "members_hidden", "no group shows a member: may the account read them? Members stay as they are")
	}
	cursor := cursorOf(s.config(), rep.Proof.Cursor)
	doubts, err := loadDoubts(ctx, s.DB, s.Source.ID)
	if err != nil {
		return err
	}
	if err := s.members(ctx, p); err != nil {
		return err
	}
	err = s.write(ctx, p, func() []directory.Change {
		if stored, err := s.Store.Cursor(ctx, s.Source.ID); err == nil && stored == cursor && len(doubts) == 0 {
			return nil
		}
		return []directory.Change{directory.PutCursor{Source: s.Source.ID, Value: cursor},
			directory.Alongside{Write: func(tx *db.Tx) error { return endDoubts(tx, s.Source.ID, nil) }}}
	})
	p.tellFormers()
	if n := p.dangling - p.stays; n > 0 { // those who stay are told of already
		rep.find(Info, "member_unknown", "%d members of groups are not in the directory", n)
	}
	return err
}

func (s *Syncer) groups(ctx context.Context) (all []directory.GroupRecord, err error) {
	for after := (directory.GroupQuery{Source: s.Source.ID, Limit: batch, NoTotal: true, NoRaw: true}); ; {
		page, err := s.Store.FindGroups(ctx, after)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Groups...)
		if len(page.Groups) < batch {
			return all, nil
		}
		after.After = page.Groups[len(page.Groups)-1].ID
	}
}
