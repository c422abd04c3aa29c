package ldap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// relinking is what one reading says of who has another id in the directory now.
type relinking struct {
	read, known, same, fresh int
	complete                 bool
	missing                  []string
	pairs                    []Pair
	unsure                   []Unsure
	units, groups            map[string]string // key → the one of the same DN now
}

// lookAnew reads the directory and finds who of those who are known and not shown is whom of those who are shown and not known. It writes nothing.
func (s *Syncer) lookAnew(ctx context.Context) (*relinking, error) {
	config := s.config()
	p, err := config.prepare()
	if err != nil {
		return nil, err
	}
	client, err := NewClient(config)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	r := &relinking{}
	keys := map[string]bool{}
	var people []identity
	named := map[Class]map[string]string{ClassUnit: {}, ClassGroup: {}} // folded DN → key
	proof, err := client.Snapshot(ctx, func(objects []Object) error {
		for _, o := range objects {
			keys[o.Key] = true
			if o.Class == ClassPerson {
				people = append(people, p.identity(s.Source, o, s.now()))
			} else if names := named[o.Class]; names != nil {
				names[fold(o.DN)] = o.Key
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.read, r.complete, r.missing = len(people), proof.Complete(), proof.Missing
	return r, s.compareAnew(ctx, r, keys, people, named)
}

func (s *Syncer) compareAnew(ctx context.Context, r *relinking, keys map[string]bool, people []identity, named map[Class]map[string]string) error {
	sp, err := loadSpace(ctx, s.DB, s.Source.ID)
	if err != nil {
		return err
	}
	known, err := s.Store.RecordKeys(ctx, s.Source.ID)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	var missed []string
	for _, k := range known {
		switch there[k.Key] = true; {
		case !k.DeletedAt.IsZero():
		case keys[k.Key]:
			r.known++
			r.same++
		default:
			r.known++
			missed = append(missed, k.Key)
		}
	}
	old, err := s.called(ctx, sp, missed)
	if err != nil {
		return err
	}
	shown := slices.DeleteFunc(people, func(i identity) bool { return there[i.key] })
	r.fresh = len(shown)
	r.pairs, r.unsure = pair(old, shown)
	stored := map[Class][]string{}
	units, err := s.Store.UnitsOf(ctx, s.Source.ID)
	if err != nil {
		return err
	}
	for _, u := range units {
		stored[ClassUnit] = append(stored[ClassUnit], u.Key)
	}
	groups, err := s.groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		stored[ClassGroup] = append(stored[ClassGroup], g.Key)
	}
	anew := func(class Class) map[string]string {
		out, taken := map[string]string{}, map[string]bool{}
		for _, key := range stored[class] {
			taken[key] = true
		}
		for _, key := range stored[class] {
			o := sp.objects[key]
			if o == nil || o.name == nil || keys[key] {
				continue
			}
			if now := named[class][o.name.folded]; now != "" && !taken[now] {
				out[key], taken[now] = now, true
			}
		}
		return out
	}
	r.units, r.groups = anew(ClassUnit), anew(ClassGroup)
	return nil
}

// hash names what was found.
func (r *relinking) hash() string {
	h := sha256.New()
	for _, p := range r.pairs {
		fmt.Fprintf(h, "%q %q\n", p.Was, p.Now)
	}
	for _, keys := range []map[string]string{r.units, r.groups} {
		for _, old := range slices.Sorted(maps.Keys(keys)) {
			fmt.Fprintf(h, "%q %q\n", old, keys[old])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// relink gives everybody the id that the directory has for them now, in one transaction: nobody is new, and nobody goes. Then everything is read.
func (s *Syncer) relink(ctx context.Context, cause directory.Cause, r *relinking) error {
	people := map[string]string{}
	for _, p := range r.pairs {
		people[p.Was] = p.Now
	}
	all := maps.Clone(people)
	maps.Copy(all, r.units)
	maps.Copy(all, r.groups)
	return s.halted(func() error {
		if err := s.claim(ctx); err != nil {
			return err
		}
		defer s.let(ctx)
		_, err := s.Store.Apply(ctx, cause, directory.Rekey{Source: s.Source.ID, Records: people, Units: r.units, Groups: r.groups},
			directory.PutCursor{Source: s.Source.ID}, directory.Alongside{Write: func(tx *db.Tx) error {
				if err := fence(tx, s.Source.ID, s.holder(), s.now()); err != nil {
					return err
				}
				if err := endDoubts(tx, s.Source.ID, nil); err != nil {
					return err
				}
				if s.Rekeyed != nil {
					if err := s.Rekeyed(tx, s.Source.ID, people); err != nil {
						return err
					}
				}
				return renameObjects(tx, s.Source.ID, all)
			}})
		if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrExists) {
			return fmt.Errorf("%w: %w", errMoved, err)
		}
		return err
	})
}

// errMoved says that the directory, or what is known of it, is not what was looked at.
var errMoved = errors.New("what was looked at is no longer so")

// renameObjects gives entries of a connector space other keys.
func renameObjects(tx *db.Tx, source id.Source, keys map[string]string) error {
	for part := range slices.Chunk(slices.Sorted(maps.Keys(keys)), 150) {
		var args []any
		var now []string
		for _, old := range part {
			args, now = append(args, old, keys[old]), append(now, keys[old])
		}
		if err := tx.Exec("delete from ldap_objects where source_id = ? and object_key in ?", source, now).Error; err != nil {
			return fmt.Errorf("write connector space: %w", err)
		}
		pairs := strings.TrimSuffix(strings.Repeat("select cast(? as text) as was, cast(? as text) as now union all ", len(part)), " union all ")
		for _, column := range []string{"object_key", "manager_key", "unit_key"} {
			if err := tx.Exec("update ldap_objects set "+column+" = k.now from ("+pairs+") k where ldap_objects.source_id = ? and ldap_objects."+column+" = k.was",
				append(slices.Clone(args), source)...).Error; err != nil {
				return fmt.Errorf("write connector space: %w", err)
			}
		}
	}
	return tx.Exec("update ldap_objects set members = '' where source_id = ?", source).Error // they are told apart by key
}
