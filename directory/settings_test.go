package directory_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
)

// A setting is one row per version; whoever did not see the newest one changes nothing.
func TestSettings(t *testing.T) {
	run(t, func(w *world) {
		if s, err := w.Setting(w.ctx, w.ldap, "mapping"); err != nil || s.Version != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		put := func(base int, value string) error {
			_, err := w.Apply(w.ctx, directory.Cause{Actor: "per_admin"}, directory.PutSetting{Source: w.ldap, Name: "mapping", Base: base, Value: json.RawMessage(value)})
			return err
		}
		for base, value := range []string{`{"a":1}`, `{"a":2}`} {
			if err := put(base, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := put(1, `{"a":3}`); !errors.Is(err, directory.ErrVersion) {
			t.Errorf("over a version that was not seen: %v", err)
		}
		if err := put(2, `{`); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("not JSON: %v", err)
		}
		all, err := w.Settings(w.ctx, w.ldap, "mapping", 10)
		if err != nil || len(all) != 2 || all[0].Version != 2 || string(all[0].Value) != `{"a":2}` || all[0].Actor != "per_admin" || all[0].CreatedAt.IsZero() {
			t.Fatalf("%+v, %v", all, err)
		}
	})
}
