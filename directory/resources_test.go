package directory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (w *world) device(serial, raw string) directory.Resource {
	w.Helper()
	return w.apply(directory.CreateResource{Resource: directory.Resource{Source: w.scim, Type: "Device", ExternalID: "x-" + serial, Raw: json.RawMessage(raw),
		Unique: map[string][]string{"serial": {serial}}}}).Resources[0]
}

func TestResources(t *testing.T) {
	run(t, func(w *world) {
		made := w.device("s1", `{"serial":"s1"}`)
		edit := func(version []int64, fn func(*directory.Resource)) (directory.Applied, error) {
			return w.Apply(w.ctx, directory.Cause{Actor: "test"}, directory.EditResource{Source: w.scim, Type: "Device", Resource: made.ID, IfVersion: version,
				Edit: func(r *directory.Resource) error { fn(r); return nil }})
		}
		keep := func(r *directory.Resource) { r.Unique = map[string][]string{"serial": {"s1", "s1"}} }
		w.unchanged(func() {
			a, err := edit(nil, keep)
			if err != nil || a.Outcomes[0] != directory.Unchanged || !a.Noop {
				t.Errorf("%+v, %v", a, err)
			}
		})
		a, err := edit([]int64{1}, func(r *directory.Resource) {
			r.Raw, r.Unique, r.Type, r.Version = json.RawMessage(`{"serial":"s2"}`), map[string][]string{"serial": {"s2"}}, "Other", 9
		})
		if err != nil || a.Outcomes[0] != directory.Updated || a.Resources[0].Version != 2 || a.Resources[0].Type != "Device" {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := edit([]int64{1}, keep); !errors.Is(err, directory.ErrVersion) {
			t.Errorf("an old version: %v", err)
		}
		other := w.device("s1", `{"serial":"s1"}`) // the name that was let go
		conflict := &directory.ConflictError{}
		if _, err := edit(nil, keep); !errors.As(err, &conflict) || conflict.Field != "serial" {
			t.Errorf("a taken value: %v", err)
		}
		for _, bad := range []directory.Resource{{Source: w.scim, Raw: json.RawMessage(`{}`)}, {Source: w.scim, Type: "Device"}, {Source: w.scim, Type: "Device", Raw: json.RawMessage(`{}`), ExternalID: "a\x00"},
			{Source: w.scim, Type: "Device", Raw: json.RawMessage(`{}`), Unique: map[string][]string{"serial": {"\xff"}}}} {
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateResource{Resource: bad}); !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		for _, q := range []directory.ResourceQuery{{Source: w.ldap, Type: "Device", Limit: 9}, {Source: w.scim, Type: "Other", Limit: 9}} {
			if page, err := w.FindResources(w.ctx, q); err != nil || page.Total != 0 || len(page.Resources) != 0 {
				t.Errorf("%+v finds %+v, %v", q, page, err)
			}
		}
		for _, name := range []id.Resource{"res_x", "\x00", made.ID} {
			if _, err := w.Resource(w.ctx, w.ldap, "Device", name); !errors.Is(err, directory.ErrNotFound) {
				t.Errorf("%q of another source: %v", name, err)
			}
		}
		page, err := w.FindResources(w.ctx, directory.ResourceQuery{Source: w.scim, Type: "Device", Limit: 1, Offset: 1, Sort: directory.ColExternalID, Descending: true,
			Where: directory.Compare{Column: directory.RawText("serial"), Op: directory.Sw, Value: "s"}})
		if err != nil || page.Total != 2 || len(page.Resources) != 1 || page.Resources[0].ID != made.ID {
			t.Errorf("%+v, %v", page, err)
		}
		w.apply(directory.DeleteResource{Source: w.scim, Type: "Device", Resource: other.ID})
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.DeleteResource{Source: w.scim, Type: "Device", Resource: other.ID}); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		list(t, "audit", w.actions(string(made.ID)), "resource.created", "resource.changed")
		list(t, "audit", w.actions(string(other.ID)), "resource.created", "resource.deleted")
		w.device("s1", `{}`)
	})
}

// A source in its dry run keeps resources too, and takes them along.
func TestResourcesOfADryRun(t *testing.T) {
	run(t, func(w *world) {
		source, err := w.CreateSource(w.ctx, directory.Cause{}, directory.Source{Name: "dry", Kind: directory.KindSCIM, Mode: directory.ModeDryRun})
		if err != nil {
			t.Fatal(err)
		}
		w.apply(directory.CreateResource{Resource: directory.Resource{Source: source.ID, Type: "Device", Raw: json.RawMessage(`{}`), Unique: map[string][]string{"a": {"1", "2"}}}})
		if err := w.Discard(w.ctx, directory.Cause{}, source.ID); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := w.db.Read(w.ctx).Raw("select (select count(*) from resources) + (select count(*) from resource_values)").Scan(&left).Error; err != nil || left != 0 {
			t.Errorf("%d rows, %v", left, err)
		}
	})
}

// Of many who write one unique value at once, one does.
func TestResourcesAtOnce(t *testing.T) {
	run(t, func(w *world) {
		var wg sync.WaitGroup
		errs := make([]error, 12)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = w.Apply(w.ctx, directory.Cause{}, directory.CreateResource{Resource: directory.Resource{Source: w.scim, Type: "Device", Raw: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)),
					Unique: map[string][]string{"b": {"1"}, "a": {fmt.Sprint(i % 2)}}}})
			})
		}
		wg.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if !errors.Is(err, directory.ErrExists) {
				t.Error(err)
			}
		}
		page, err := w.FindResources(w.ctx, directory.ResourceQuery{Source: w.scim, Type: "Device"})
		if err != nil || done != 1 || page.Total != 1 {
			t.Errorf("%d done, %d there, %v", done, page.Total, err)
		}
	})
}
