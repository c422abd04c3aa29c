package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// touchWhere marks the people whose live records of a source have one of these values in column.
func (w *work) touchWhere(column string, source id.Source, values map[string]bool) error {
	people, err := w.peopleWhere(column, source, values)
	for _, p := range people {
		w.touched[p] = true
	}
	return err
}

func (w *work) peopleWhere(column string, source id.Source, values map[string]bool) ([]id.Person, error) {
	found := map[id.Person]bool{}
	for part := range slices.Chunk(sorted(values), chunk) {
		var people []id.Person
		sql, args := whose(column, source, part)
		if err := w.tx.Raw(sql, args...).Scan(&people).Error; err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		for _, p := range people {
			found[p] = true
		}
	}
	planned, err := w.plannedFor(column, source, values)
	return append(sorted(found), planned...), err
}

// whose asks whose live records of a source have one of these values in column. The values lead, and how many they are is said: left to choose,
// SQLite reads the records of everybody, in order of the people it is to tell apart.
func whose(column string, source id.Source, values []string) (sql string, args []any) {
	values = db.Pad(values)
	for _, v := range values {
		args = append(args, v)
	}
	return fmt.Sprintf(`with asked (v) as (values %[2]s) select r.person_id from (select v from asked limit %[3]d) a cross join records r
		where r.source_id = ? and r.%[1]s = a.v and r.%[1]s <> '' and r.deleted_at is null and r.person_id is not null`,
		column, "(?)"+strings.Repeat(", (?)", len(values)-1), len(values)), append(args, source)
}
