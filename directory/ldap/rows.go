package ldap

import (
	"encoding/json"

	"github.com/rollcall-im/rollcall/internal/id"
)

// objectRow is a row of ldap_objects.
type objectRow struct {
	ObjectKey, Class, Dn, Hash, Manager, ManagerKey, UnitKey, UserName, Login string
	Named                                                                     bool
	Members, Waits                                                            string
}

const objectColumns = "object_key, class, dn, hash, manager, manager_key, unit_key, user_name, login, named, members, waits"

func (o *object) values(source id.Source) ([]any, error) {
	manager, waits := "", ""
	if o.manager != nil {
		manager = o.manager.folded
	}
	if len(o.waits) > 0 {
		list := make([]string, len(o.waits))
		for i, n := range o.waits {
			list[i] = n.folded
		}
		raw, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		waits = string(raw)
	}
	return []any{source, o.key, o.class, clean(o.dn), o.hash.text(), clean(manager), o.boss, o.unit, o.user, clean(o.login), o.named, o.members.text(), waits}, nil
}

// add puts a stored entry into the space.
func (sp *space) add(r objectRow) error {
	o := &object{key: r.ObjectKey, class: Class(r.Class), hash: parseDigest(r.Hash), members: parseDigest(r.Members), boss: r.ManagerKey, unit: r.UnitKey, named: r.Named, row: true}
	sp.objects[o.key] = o
	sp.rename(o, r.Dn)
	o.manager = sp.called(r.Manager)
	sp.claim(o, r.UserName, r.Login)
	if r.Waits == "" {
		return nil
	}
	var list []string
	if err := json.Unmarshal([]byte(r.Waits), &list); err != nil {
		return err
	}
	names := make([]*name, 0, len(list))
	for _, folded := range list {
		names = append(names, sp.called(folded))
	}
	sp.wait(o, names)
	return nil
}
