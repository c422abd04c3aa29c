package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// inside tells whether dn is the base or below it.
func (d *domain) inside(dn string) bool {
	f := fold(dn)
	return f == d.base || strings.HasSuffix(f, ","+d.base)
}

// The names under which DirSync tells members with incrementalValues.
const (
	memberJoined = "member;range=1-1"
	memberLeft   = "member;range=0-0"
)

// changes makes what DirSync told into what became of the objects. What is there is read again; what is deleted or stands outside
// of the base is gone. What DirSync shows below the base and a plain search does not is left as it was: the account
// may not read it, or it is gone already and that will be told.
func (d *domain) changes(ctx context.Context, entries []entry) ([]Change, error) {
	var gone, again, moved, left []string
	var members []Change
	for _, e := range entries {
		k := key(e, "objectguid")
		_, named := e.attrs["name"]
		switch {
		case k == "":
		case slices.ContainsFunc(e.attrs["isdeleted"], func(v string) bool { return strings.EqualFold(v, "true") }):
			gone = append(gone, k)
		case !d.inside(e.dn):
			gone = append(gone, k)
			if named {
				left = append(left, k)
			}
		case onlyMembers(e):
			members = append(members, Change{Op: OpMembers, Object: Object{Class: ClassGroup, Key: k}, Add: keysOf(e.attrs[memberJoined]), Remove: keysOf(e.attrs[memberLeft])})
		case named:
			moved = append(moved, k)
		default:
			again = append(again, k)
		}
	}
	objects, joined, err := d.found(ctx, again, moved)
	if err != nil {
		return nil, err
	}
	out := append(upserts(objects), joined...)
	out = append(out, members...)
	under, err := d.under(ctx, left)
	if err != nil {
		return nil, err
	}
	if gone = append(gone, under...); len(gone) > 0 {
		slices.Sort(gone)
		out = append(out, Change{Op: OpDelete, Keys: slices.Compact(gone)})
	}
	return out, nil
}

// onlyMembers tells whether members are all that changed of a group.
func onlyMembers(e entry) bool {
	told := false
	for name := range e.attrs {
		switch name {
		case memberJoined, memberLeft:
			told = true
		case "objectguid", "instancetype":
		default:
			return false
		}
	}
	return told
}

// extendedDN takes a name with the objectGUID before it apart: <GUID=hex>;<SID=hex>;name.
func extendedDN(text string) (dn, key string) {
	for strings.HasPrefix(text, "<") {
		part, rest, ok := strings.Cut(text, ">;")
		if !ok {
			break
		}
		if raw, found := strings.CutPrefix(part, "<GUID="); found {
			if b, err := hex.DecodeString(raw); err == nil {
				key = guid(string(b))
			}
		}
		text = rest
	}
	return text, key
}

// keysOf answers the keys of names. The names themselves would not do: of a member that left, it is the name of then.
func keysOf(names []string) []string {
	var out []string
	for _, name := range names {
		if _, key := extendedDN(name); key != "" {
			out = append(out, key)
		}
	}
	return out
}

// found reads again what changed and what got another name or place. Below a branch that did, everything has another
// name; and who comes into the base may be in groups that were told long ago.
func (d *domain) found(ctx context.Context, again, moved []string) ([]Object, []Change, error) {
	entries, err := d.c.reread(ctx, again)
	if err != nil {
		return nil, nil, err
	}
	fresh, err := d.c.reread(ctx, moved, "memberof")
	if err != nil {
		return nil, nil, err
	}
	err = d.beneath(ctx, moved, append(d.c.allAttributes(), "memberof"), func(e entry) {
		if d.inside(e.dn) { // else the branch left the base meanwhile, which will be told
			fresh = append(fresh, e)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	joined, err := d.memberships(ctx, fresh)
	if err != nil {
		return nil, nil, err
	}
	var objects []Object
	seen := map[string]bool{}
	for _, e := range append(entries, fresh...) {
		if o := d.c.object(key(e, "objectguid"), e); o.Key != "" && o.Class != "" && !seen[o.Key] {
			seen[o.Key] = true
			objects = append(objects, o)
		}
	}
	return objects, joined, nil
}

// beneath reads everything below those of these entries that others stand below. They are gone to by their id: each may have another name again by now.
func (d *domain) beneath(ctx context.Context, keys, attrs []string, each func(entry)) error {
	branches, err := d.branchesOf(ctx, keys)
	if err != nil {
		return err
	}
	for _, k := range branches {
		err := d.c.pages(ctx, request{base: byGUID(k), scope: goldap.ScopeWholeSubtree, filter: d.c.anyClass(), attrs: attrs}, func(page []entry) error {
			for _, e := range page {
				each(e)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errGone) { // that it is gone will be told
			return err
		}
	}
	return nil
}

// byGUID is a name of an entry that it never loses ([MS-ADTS] section 3.1.1.3.1.2.4).
func byGUID(key string) string { return "<GUID=" + key + ">" }

// branchesOf answers those of these keys whose entries others stand below.
func (d *domain) branchesOf(ctx context.Context, keys []string) ([]string, error) {
	var out []string
	for filter := range keyFilters("objectguid", keys) {
		p, err := d.c.search(ctx, request{base: d.root, scope: goldap.ScopeWholeSubtree, filter: "(&" + d.branches() + filter + ")", attrs: []string{"objectGUID"}})
		if err != nil {
			return nil, err
		}
		for _, e := range p.entries {
			if k := key(e, "objectguid"); k != "" {
				out = append(out, k)
			}
		}
	}
	return out, nil
}

// under answers the keys of everything below those of these entries that others stand below.
func (d *domain) under(ctx context.Context, keys []string) ([]string, error) {
	var out []string
	err := d.beneath(ctx, keys, []string{"objectGUID"}, func(e entry) {
		if k := key(e, "objectguid"); k != "" && !d.inside(e.dn) {
			out = append(out, k)
		}
	})
	return out, err
}

// memberships tells the groups below the base that name these entries as members.
func (d *domain) memberships(ctx context.Context, entries []entry) ([]Change, error) {
	in := map[string][]string{} // folded name of a group → keys
	for _, e := range entries {
		for _, group := range e.attrs["memberof"] {
			if d.inside(group) {
				in[fold(group)] = append(in[fold(group)], key(e, "objectguid"))
			}
		}
	}
	groups := make([]string, 0, len(in))
	for g := range in {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	var out []Change
	for chunk := range slices.Chunk(groups, lookupChunk) {
		var b strings.Builder
		for _, g := range chunk {
			b.WriteString("(distinguishedName=" + goldap.EscapeFilter(g) + ")")
		}
		p, err := d.c.search(ctx, request{base: d.c.p.Base, scope: goldap.ScopeWholeSubtree, filter: "(&" + d.c.filter(ClassGroup) + anyOf(b.String()) + ")", attrs: []string{"objectGUID"}})
		if err != nil {
			return nil, err
		}
		for _, e := range p.entries {
			if k := key(e, "objectguid"); k != "" {
				out = append(out, Change{Op: OpMembers, Object: Object{Class: ClassGroup, Key: k}, Add: in[fold(e.dn)]})
			}
		}
	}
	return out, nil
}
