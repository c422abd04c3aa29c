package directory

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// The row structs and the tables have the same columns of the same kinds, and what may be NULL is what reads NULL.
func TestRowsMatchTables(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		if err := Migrate(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		for _, row := range []any{sourceRow{}, tokenRow{}, personRow{}, recordRow{}, contactRow{}, unitRow{}, groupRow{}, freezeRow{}, workItemRow{}, resourceRow{}, resourceValueRow{}} {
			parsed, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			columns, err := d.Read(context.Background()).Migrator().ColumnTypes(parsed.Table)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]bool{}
			for _, c := range columns {
				names[c.Name()] = true
				f := parsed.FieldsByDBName[c.Name()]
				if f == nil {
					t.Errorf("%s.%s is in no row struct", parsed.Table, c.Name())
					continue
				}
				kind := strings.ToLower(c.DatabaseTypeName())
				if !slices.Contains(kinds(f.FieldType), kind) {
					t.Errorf("%s.%s is %s, the struct has %s", parsed.Table, c.Name(), kind, f.FieldType)
				}
				nullable, known := c.Nullable()
				readsNull := f.FieldType == reflect.TypeFor[db.Instant]() || f.FieldType.Kind() == reflect.Pointer
				if known && nullable && !readsNull {
					t.Errorf("%s.%s may be NULL, the struct cannot", parsed.Table, c.Name())
				}
			}
			for _, f := range parsed.Fields {
				if f.DBName != "" && !names[f.DBName] {
					t.Errorf("%s.%s is in no table", parsed.Table, f.DBName)
				}
			}
		}
		if got := recordValues(recordRow{}); len(got) != len(strings.Split(recordColumns, ", "))-5+1 { // not link, source, key, created, pushed; but raw
			t.Errorf("%d columns are written, %d read", len(got), len(strings.Split(recordColumns, ", ")))
		}
	})
}

func kinds(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[db.Instant]():
		return []string{"bigint", "int8"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return []string{"boolean", "bool", "numeric"}
	case reflect.Int, reflect.Int64:
		return []string{"integer", "bigint", "int4", "int8"}
	}
	return []string{"text"}
}

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{{"ABC.Def@X", "abc.def@x"}, {"STRASSE", "Straße"}, {"É", "e\u0301"}, {"ΣΑΣ", "σας"}, {"张伟", "张伟"}} {
		if fold(pair[0]) != fold(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
		if fold(fold(pair[0])) != fold(pair[0]) {
			t.Errorf("%q: folding twice differs", pair[0])
		}
	}
}
