package ldap_test

import (
	"context"
	"strconv"
	"strings"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

func (g *grove) Probe(context.Context) (ldap.Capabilities, []ldap.Finding, error) {
	return ldap.Capabilities{}, nil, nil
}

func (g *grove) Position(context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strconv.Itoa(len(g.log)), nil
}

func (g *grove) Snapshot(_ context.Context, emit func([]ldap.Object) error) (ldap.Proof, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := strconv.Itoa(len(g.log))
	proof := ldap.Proof{Kind: "page_end", Counts: map[ldap.Class]int{}, Position: at, Cursor: ldap.Cursor(at)}
	for _, class := range []ldap.Class{ldap.ClassUnit, ldap.ClassPerson, ldap.ClassGroup} {
		for _, l := range g.of(class) {
			if g.inside(l) {
				proof.Counts[class]++
				if err := emit([]ldap.Object{g.object(l)}); err != nil {
					return proof, err
				}
			}
		}
	}
	return proof, nil
}

func (g *grove) Below(_ context.Context, dn string, emit func([]ldap.Object) error) (ldap.Proof, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := false
	for _, class := range []ldap.Class{ldap.ClassUnit, ldap.ClassPerson, ldap.ClassGroup} {
		for _, l := range g.of(class) {
			if at := g.dn(l); at == dn || strings.HasSuffix(at, ","+dn) {
				found = found || at == dn
				if err := emit([]ldap.Object{g.object(l)}); err != nil {
					return ldap.Proof{}, err
				}
			}
		}
	}
	if !found { // it has another name by now
		return ldap.Proof{}, ldap.ErrServer
	}
	return ldap.Proof{Kind: "page_end"}, nil
}

func (g *grove) Lookup(_ context.Context, class ldap.Class, keys []string) (out []ldap.Object, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range keys {
		if l := g.entries[k]; l != nil && l.class == class && g.inside(l) {
			out = append(out, g.object(l))
		}
	}
	return out, nil
}

func (g *grove) Inventory(_ context.Context, emit func(ldap.Class, []string) error) (ldap.Proof, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, class := range []ldap.Class{ldap.ClassUnit, ldap.ClassPerson, ldap.ClassGroup} {
		for _, l := range g.of(class) {
			if g.inside(l) {
				if err := emit(class, []string{l.key}); err != nil {
					return ldap.Proof{}, err
				}
			}
		}
	}
	return ldap.Proof{Kind: "page_end"}, nil
}

func (g *grove) Changes(context.Context, ldap.Cursor, func([]ldap.Change) error) (ldap.Cursor, error) {
	return "", ldap.ErrNoStream
}

// Watch tells what changed since from, with or without naming what did not, and then each change as it is made.
func (g *grove) Watch(ctx context.Context, from ldap.Cursor, emit func([]ldap.Change) error) error {
	at, _ := strconv.Atoi(string(from))
	g.mu.Lock()
	whole := from == "" || g.random.IntN(2) == 0
	var changes []ldap.Change
	if whole {
		for _, class := range []ldap.Class{ldap.ClassPerson, ldap.ClassGroup, ldap.ClassUnit} {
			for _, l := range g.of(class) {
				switch {
				case !g.inside(l):
				case l.changed > at || from == "":
					changes = append(changes, ldap.Change{Op: ldap.OpUpsert, Object: g.object(l)})
				default:
					changes = append(changes, ldap.Change{Op: ldap.OpPresent, Keys: []string{l.key}})
				}
			}
		}
	} else {
		changes = g.since(at)
	}
	at = len(g.log)
	wake, deaf := g.wake, g.deaf
	g.mu.Unlock()
	if deaf {
		return ldap.ErrUnreachable
	}
	changes = append(changes, ldap.Change{Op: ldap.OpRefreshed, Whole: whole, Proof: "refresh done", Cursor: ldap.Cursor(strconv.Itoa(at))})
	for {
		if err := emit(changes); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		}
		g.mu.Lock()
		changes = g.since(at)
		at = len(g.log)
		wake, deaf = g.wake, g.deaf
		g.mu.Unlock()
		if deaf {
			return ldap.ErrClosed
		}
	}
}

// since tells the changes behind a place in the log, each entry as it is now.
func (g *grove) since(at int) (changes []ldap.Change) {
	for i, k := range g.log[at:] {
		c := ldap.Change{Cursor: ldap.Cursor(strconv.Itoa(at + i + 1))}
		if l := g.entries[k]; l != nil && g.inside(l) {
			c.Op, c.Object = ldap.OpUpsert, g.object(l)
		} else {
			c.Op, c.Keys = ldap.OpDelete, []string{k}
		}
		changes = append(changes, c)
	}
	return changes
}
