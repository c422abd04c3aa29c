package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// confirm answers the entries that are there no more: those that were told to be gone, those that a complete telling did not name, and those beneath
// a unit that is gone, all looked up by their id. Who is found is shown.
func (t *news) confirm(ctx context.Context) ([]*object, error) {
	suspects := map[*object]bool{}
	for _, k := range t.lost {
		if o := t.sp.objects[k]; o != nil {
			suspects[o] = true
		}
	}
	if t.whole != nil {
		if err := t.unnamed(suspects); err != nil {
			return nil, err
		}
	}
	gone, names := map[*object]bool{}, map[string]bool{}
	var back []string          // units that were away, perhaps
	for _, k := range t.lost { // told of, and gone, before anybody knew them
		if t.sp.objects[k] == nil {
			t.names(names, k)
		}
	}
	for len(suspects)+len(names) > 0 {
		byClass := map[Class][]string{}
		for o := range suspects {
			byClass[o.class] = append(byClass[o.class], o.key)
		}
		for class, keys := range byClass {
			slices.Sort(keys)
			if err := t.read(ctx, class, keys); err != nil {
				return nil, err
			}
		}
		for o := range suspects {
			if _, there := t.at[o.key]; there {
				if o.class == ClassUnit {
					back = append(back, o.key)
				}
				continue
			}
			if gone[o] = true; o.class == ClassUnit && o.name != nil { // servers tell of the unit only
				names[o.name.folded] = true
				t.names(names, o.key)
			}
		}
		var err error
		if suspects, names, err = t.overtaken(ctx, gone, names); err != nil {
			return nil, err
		}
	}
	if len(back) <= unitsMost { // else it was told that everything is gone
		for _, k := range back {
			t.left[k] = true
		}
	}
	out := make([]*object, 0, len(gone))
	for o := range gone {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *object) int {
		if d := depth(folded(a)) - depth(folded(b)); d != 0 {
			return d
		}
		return strings.Compare(a.key, b.key)
	})
	return out, nil
}

// names adds the names under which a unit was shown.
func (t *news) names(to map[string]bool, key string) {
	for _, name := range t.called[key] {
		if name != "" {
			to[name] = true
		}
	}
}

// overtaken finds who is beneath one of these names, which units had that are gone: those who are known to be there, and those who were told to be there before the
// unit went, and are not found now. Of units among these that nobody knows, it answers the names.
func (t *news) overtaken(ctx context.Context, gone map[*object]bool, names map[string]bool) (suspects map[*object]bool, more map[string]bool, err error) {
	suspects, more = map[*object]bool{}, map[string]bool{}
	if len(names) == 0 {
		return suspects, more, nil
	}
	byClass := map[Class][]string{}
	for i, o := range t.shown {
		if o.Key != "" && t.at[o.Key] == i && beneath(fold(o.DN), names) {
			byClass[o.Class] = append(byClass[o.Class], o.Key)
		}
	}
	for class, keys := range byClass {
		told := len(t.shown)
		if err := t.read(ctx, class, keys); err != nil {
			return nil, nil, err
		}
		for _, k := range keys {
			if t.at[k] >= told {
				continue
			}
			t.hide(k)
			if o := t.sp.objects[k]; o == nil {
				t.names(more, k)
			} else if !gone[o] {
				suspects[o] = true
			}
		}
	}
	for _, o := range t.sp.objects {
		if _, shown := t.at[o.key]; !shown && !gone[o] && o.name != nil && beneath(o.name.folded, names) {
			suspects[o] = true
		}
	}
	return suspects, more, nil
}

// unnamed adds those whom a complete telling did not name, where that can be believed: see plausible and hidden.
func (t *news) unnamed(suspects map[*object]bool) error {
	total, met := map[Class]int{}, map[Class]int{}
	for _, o := range t.sp.objects {
		if total[o.class]++; o.mark == t.mark {
			met[o.class]++
		}
	}
	if fresh := len(t.at); total[ClassPerson] > 0 && met[ClassPerson] == 0 && (fresh == 0 || total[ClassPerson] >= plausibleFrom) {
		return fmt.Errorf("%w: it names none of the %d people that are known", ErrImplausible, total[ClassPerson])
	}
	for _, o := range t.sp.objects {
		if o.mark == t.mark {
			continue
		}
		if o.class != ClassPerson && met[o.class] == 0 {
			continue
		}
		suspects[o] = true
	}
	return nil
}
