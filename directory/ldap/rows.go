package ldap

import (
	"database/sql"
	"encoding/json"

	"github.com/rollcall-im/rollcall/internal/id"
)

const objectColumns = "object_key, class, dn, hash, manager, manager_key, unit_key, user_name, login, named, members, waits, formers"

func (o *object) values(source id.Source) ([]any, error) {
	manager := ""
	if o.manager != nil {
		manager = o.manager.folded
	}
	waits, err := namesText(o.waits)
	if err != nil {
		return nil, err
	}
	formers, err := namesText(o.formers)
	if err != nil {
		return nil, err
	}
	return []any{source, o.key, o.class, clean(o.dn), o.hash.text(), clean(manager), o.boss, o.unit, o.user, clean(o.login), o.named, o.members.text(), waits, formers}, nil
}

func namesText(names []*name) (string, error) {
	if len(names) == 0 {
		return "", nil
	}
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = n.folded
	}
	raw, err := json.Marshal(list)
	return string(raw), err
}

// loading puts stored entries into a space. A text that stands in many rows is kept once.
type loading struct {
	sp    *space
	texts map[string]string
	row   struct {
		key, class, dn, hash, manager, boss, unit, user, login, members, waits, formers sql.RawBytes
		named                                                                           bool
	}
}

// add takes the row that rows stands at.
func (l *loading) add(rows *sql.Rows) error {
	r, sp := &l.row, l.sp
	if err := rows.Scan(&r.key, &r.class, &r.dn, &r.hash, &r.manager, &r.boss, &r.unit, &r.user, &r.login, &r.named, &r.members, &r.waits, &r.formers); err != nil {
		return err
	}
	key, ok := l.texts[string(r.key)] // somebody reports to it
	if !ok {
		key = sp.shelf.keepRaw(r.key)
	}
	o := sp.enter(key, Class(l.text(r.class)))
	o.hash, o.members, o.boss, o.unit, o.named, o.row = parseDigest(r.hash), parseDigest(r.members), l.keyOf(r.boss), l.keyOf(r.unit), r.named, true
	sp.rename(o, string(r.dn))
	if o.manager = sp.names[string(r.manager)]; o.manager == nil {
		o.manager = sp.called(string(r.manager))
	}
	user := string(r.user)
	login := user
	if string(r.login) != user {
		login = string(r.login)
	}
	sp.claim(o, user, login)
	formers, err := l.names(r.formers)
	if err != nil {
		return err
	}
	for _, n := range formers {
		if n.owner == nil { // one who comes later takes it
			sp.was(o, n)
		}
	}
	waits, err := l.names(r.waits)
	if err == nil && len(waits) > 0 {
		sp.wait(o, waits)
	}
	return err
}

func (l *loading) names(raw []byte) ([]*name, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	names := make([]*name, 0, len(list))
	for _, folded := range list {
		names = append(names, l.sp.called(folded))
	}
	return names, nil
}

func (l *loading) text(raw []byte) string {
	text, ok := l.texts[string(raw)]
	if !ok {
		text = l.sp.shelf.keepRaw(raw)
		l.texts[text] = text
	}
	return text
}

func (l *loading) keyOf(raw []byte) string {
	if o := l.sp.objects[string(raw)]; o != nil {
		return o.key
	}
	return l.text(raw)
}
