package provisioning_test

import (
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/rollcall-im/rollcall/provisioning"
)

// The row structs and the tables have the same columns, the same names and the same nullability, on both engines.
func TestRowsMatchTables(t *testing.T) {
	both(t, func(w *world) {
		mine := map[string]bool{}
		for _, row := range provisioning.Tables() {
			s, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
			w.ok(err)
			mine[s.Table] = true
			columns, err := w.db.Read(ctx).Migrator().ColumnTypes(s.Table)
			w.ok(err)
			in := map[string]bool{}
			for _, c := range columns {
				in[c.Name()] = true
				if s.LookUpField(c.Name()) == nil {
					w.Errorf("%s.%s has no field", s.Table, c.Name())
				}
			}
			for _, f := range s.DBNames {
				if !in[f] {
					w.Errorf("%s.%s has no column", s.Table, f)
				}
			}
			if len(columns) == 0 {
				w.Errorf("no table %s", s.Table)
			}
		}
		for _, table := range w.tables() {
			if strings.HasPrefix(table, "feed_") || strings.HasPrefix(table, "audit_") || strings.HasPrefix(table, "authz_") || mine[table] {
				continue
			}
			for _, name := range []string{"policy", "plan", "membership", "hold", "held", "removal", "guard", "fence", "failure", "project_"} {
				if strings.HasPrefix(table, name) {
					w.Errorf("table %s has no row struct", table)
				}
			}
		}
	})
}
