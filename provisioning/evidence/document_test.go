package evidence

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

func migrated(t *testing.T, d *db.DB) context.Context {
	t.Helper()
	ctx := t.Context()
	for _, one := range []func(context.Context, *db.DB) error{audit.Migrate, Migrate} {
		if err := one(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	return ctx
}

func sealing(t *testing.T) *seal.Key {
	t.Helper()
	file, _, err := seal.Generate(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestCanonical(t *testing.T) {
	for give, want := range map[string]string{
		`{"b":1,"a":[true,null,{"z":"","y":-5}]}`: `{"a":[true,null,{"y":-5,"z":""}],"b":1}`,
		`"<\u0041\u2028\u0001\n\/\"\\é中"`:         "\"<A\u2028\\u0001\\n/\\\"\\\\é中\"",
		`12345678901234567890`:                    `12345678901234567890`,
	} {
		v, err := decode([]byte(give))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := canonical(v); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", give, got, err)
		}
	}
	for _, give := range []any{1.5, map[string]any{"a": 1e30}} {
		if _, err := canonical(give); !errors.Is(err, ErrFormat) {
			t.Errorf("%v: %v", give, err)
		}
	}
}

// Keys are made once, opened by the identity they were sealed for, retired by the next one, and their documents stay good.
func TestKeys(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := migrated(t, d)
		if _, _, err := (&Store{DB: d, Keys: &Keys{DB: d}}).Sign(ctx, "per_a", KindLeaver, "per_b", 1, nil, "json"); !errors.Is(err, ErrNoSeal) {
			t.Fatal(err)
		}
		s := &Store{DB: d, Keys: &Keys{DB: d, Seal: sealing(t)}}
		_, first, err := s.Sign(ctx, "per_a", KindLeaver, "per_b", map[string]any{"n": 1}, nil, "json")
		if err != nil {
			t.Fatal(err)
		}
		doc, second, err := s.Sign(ctx, "per_a", KindLeaver, "per_b", map[string]any{"n": 2}, []int64{0, 1}, "json")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Keys.Rotate(ctx, "per_a"); err != nil {
			t.Fatal(err)
		}
		_, third, err := s.Sign(ctx, "per_a", KindLeaver, "per_b", map[string]any{"n": 3}, nil, "json")
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Keys.List(ctx)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		var old, young []byte
		for _, k := range list {
			raw, err := ParseKey(k.Public)
			if err != nil {
				t.Fatal(err)
			}
			if k.RetiredAt.IsZero() {
				young = raw
			} else {
				old = raw
			}
		}
		for i, text := range [][]byte{first, second} {
			if v, err := Verify(text, old); err != nil || !v.Given {
				t.Errorf("%d: %+v, %v", i, v, err)
			}
			if _, err := Verify(text, young); !errors.Is(err, ErrSignature) {
				t.Errorf("%d with another key: %v", i, err)
			}
		}
		if _, err := Verify(third, young); err != nil {
			t.Error(err)
		}
		if len(doc.Audit.Records) != 2 {
			t.Errorf("%+v", doc.Audit)
		}
		s.Keys.Seal = sealing(t)
		if _, _, err := s.Sign(ctx, "per_a", KindLeaver, "per_b", 1, nil, "json"); !errors.Is(err, ErrKey) {
			t.Errorf("with another identity: %v", err)
		}
		exports, err := audit.List(ctx, d, audit.Filter{Action: ActionExported})
		if err != nil || len(exports) != 3 {
			t.Errorf("%d exports, %v", len(exports), err)
		}
		rows, err := s.Keys.rows(ctx)
		if err != nil || !seal.Sealed(rows[0].Sealed) {
			t.Errorf("the key is not sealed: %v", err)
		}
	})
}

// Every letter that is another one is seen; what is no document is refused without a panic.
func TestVerifySeesTampering(t *testing.T) {
	d := dbtest.SQLite(t)
	ctx := migrated(t, d)
	s := &Store{DB: d, Keys: &Keys{DB: d, Seal: sealing(t)}}
	if err := s.Keys.Rotate(ctx, "system"); err != nil {
		t.Fatal(err)
	}
	_, text, err := s.Sign(ctx, "per_a", KindLeaver, "per_b", map[string]any{"name": "王伟", "list": []int{1, 2}}, []int64{0}, "json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(text, nil); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i := range text {
		other := append([]byte{}, text...)
		if other[i] ^= 1; other[i] == '\n' || text[i] == '\n' || text[i] == ' ' {
			continue
		}
		v, err := Verify(other, nil)
		if err == nil {
			t.Errorf("byte %d (%q) can be another one: %+v", i, text[max(i-10, 0):min(i+10, len(text))], v)
		}
		seen++
	}
	if seen < 500 {
		t.Errorf("%d bytes were tried", seen)
	}
	for _, none := range []string{"", "null", "[]", "{}", `{"format":"rollcall-evidence/1"}`, `{"format":"rollcall-evidence/1","signature":{"algorithm":"Ed25519"}}`,
		`{"format":"rollcall-evidence/1","signature":{"algorithm":"Ed25519","public":"AAAA","value":"AAAA"}}`, string(text) + "{}"} {
		if _, err := Verify([]byte(none), nil); !errors.Is(err, ErrFormat) {
			t.Errorf("%.40q: %v", none, err)
		}
	}
	if _, err := ParseKey("nothing"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if key, err := ParseKey("evk_1 " + base64.StdEncoding.EncodeToString(make([]byte, 32)) + " SHA256:x"); err != nil || len(key) != 32 {
		t.Error(err)
	}
}

// Fences are noted once, with a record of the audit log for each; the first is the one that counts.
func TestFencesAreNotedOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := migrated(t, d)
		f := NewFences(d, nil, nil)
		at := time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.UTC)
		list := []directory.Freeze{{ID: "frz_a", Person: "per_a"}, {ID: "frz_b", Person: "per_b"}}
		f.Settled(7, list, at)
		f.Settled(7, list[:1], at.Add(time.Second))
		if err := f.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		f.Settled(7, list, at.Add(time.Minute))
		f.Settled(9, list[:1], at.Add(time.Hour))
		if err := f.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		got, err := fencesOf(d, ctx, []id.Freeze{"frz_a", "frz_b", "frz_c"})
		if err != nil || len(got) != 2 || !got["frz_a"].At.Equal(at) || got["frz_a"].How != ByBarrier {
			t.Fatalf("%+v, %v", got, err)
		}
		records, err := audit.List(ctx, d, audit.Filter{Action: ActionFenced})
		if err != nil || len(records) != 3 || records[2].Subject != "per_a" || records[2].Public["in_force_at"] != "2026-05-01T12:00:00.123456Z" {
			t.Fatalf("%+v, %v", records, err)
		}
	})
}

func TestEpisodes(t *testing.T) {
	zero := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return zero.AddDate(0, 0, n) }
	f := func(name string, cause directory.FreezeCause, created, from, lifted int) directory.Freeze {
		out := directory.Freeze{ID: id.Freeze(name), Cause: cause, CreatedAt: day(created), Request: id.Request("req_" + name)}
		if from != 0 {
			out.From = day(from)
		}
		if lifted != 0 {
			out.LiftedAt = day(lifted)
		}
		return out
	}
	veto := f("veto", directory.CauseVeto, 40, 0, 0)
	disabled := f("zdisabled", directory.CauseDisabled, 40, 0, 0)
	disabled.Request = veto.Request
	list := episodes([]directory.Freeze{
		f("pending", directory.CausePending, 0, 0, 2),
		f("off", directory.CauseDisabled, 5, 0, 6), f("end", directory.CauseEnded, 3, 6, 8), // one after the other, without a gap
		f("leave", directory.CauseLeave, 10, 12, 20),
		f("taken back", directory.CauseEnded, 10, 30, 15), // before it began
		veto, disabled, f("security", directory.CauseSecurity, 39, 0, 45),
		f("later", directory.CauseEnded, 10, 90, 0), // still to come
	}, day(60))
	var got []string
	for _, e := range list {
		text := string(e.first.ID) + ":"
		for _, one := range e.freezes {
			text += " " + string(one.ID)
		}
		got = append(got, text+" "+e.from.Format("01-02")+" "+e.until.Format("01-02"))
	}
	want := "off: off end 03-06 03-09\nzdisabled: security veto zdisabled 04-10 01-01"
	if strings.Join(got, "\n") != want {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	if _, ok := episodeAt(nil, time.Time{}, day(60)); ok {
		t.Error("nobody left")
	}
}
