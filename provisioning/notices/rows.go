package notices

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type noticeRow struct {
	ID     id.Notice
	Person id.Person
	Kind   Kind
	About  db.JSON[map[string]string]
	Key    string
	At     db.Instant
	ReadAt db.Instant
}

func rowOf(n Notice) noticeRow {
	about := n.About
	if about == nil {
		about = map[string]string{}
	}
	return noticeRow{ID: n.ID, Person: n.Person, Kind: n.Kind, About: db.JSON[map[string]string]{V: about}, Key: n.Key, At: db.At(n.At)}
}

func (r noticeRow) notice() Notice {
	return Notice{ID: r.ID, Person: r.Person, Kind: r.Kind, About: r.About.V, Key: r.Key, At: r.At.Time, ReadAt: r.ReadAt.Time}
}
