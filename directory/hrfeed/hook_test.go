package hrfeed

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// The example of the Standard Webhooks specification, and everything that is wrong with a message.
func TestSignature(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body := []byte(`{"test": 2432232314}`)
	now := time.Unix(1614265330, 0)
	header := func(change func(http.Header)) http.Header {
		h := http.Header{}
		h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
		h.Set("webhook-timestamp", "1614265330")
		h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
		change(h)
		return h
	}
	if got, err := verify(secret, header(func(http.Header) {}), body, now); err != nil || got != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("the example is refused: %v", err)
	}
	if _, err := verify(secret, header(func(h http.Header) { h.Set("webhook-signature", "v1,AAAA v2,x "+h.Get("webhook-signature")) }), body, now.Add(4*time.Minute)); err != nil {
		t.Errorf("one of several: %v", err)
	}
	for name, change := range map[string]func(http.Header){
		"no id":           func(h http.Header) { h.Del("webhook-id") },
		"another id":      func(h http.Header) { h.Set("webhook-id", "msg_2") },
		"id with a line":  func(h http.Header) { h.Set("webhook-id", "msg 2") },
		"no time":         func(h http.Header) { h.Del("webhook-timestamp") },
		"another time":    func(h http.Header) { h.Set("webhook-timestamp", "1614265331") },
		"no signature":    func(h http.Header) { h.Del("webhook-signature") },
		"empty signature": func(h http.Header) { h.Set("webhook-signature", "v1,") },
		"version": func(h http.Header) {
			h.Set("webhook-signature", strings.Replace(h.Get("webhook-signature"), "v1,", "v1a,", 1))
		},
		"altered": func(h http.Header) {
			h.Set("webhook-signature", strings.Replace(h.Get("webhook-signature"), "g", "h", 1))
		},
	} {
		if _, err := verify(secret, header(change), body, now); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, off := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
		if _, err := verify(secret, header(func(http.Header) {}), body, now.Add(off)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s off: %v", off, err)
		}
	}
	if _, err := verify(secret, header(func(http.Header) {}), []byte(`{"test": 2432232315}`), now); !errors.Is(err, ErrSignature) {
		t.Errorf("altered body: %v", err)
	}
	mac := hmac.New(sha256.New, nil)
	fmt.Fprintf(mac, "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.%s", body)
	empty := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, weak := range []string{"", "whsec_", "secret", "whsec_c2hvcnQ="} {
		if _, err := verify(weak, header(func(h http.Header) { h.Set("webhook-signature", "v1,"+empty) }), body, now); err == nil {
			t.Errorf("secret %q lets in", weak)
		}
	}
}

// stumbling fails to settle at a call, as a server that is ended in the middle.
type stumbling struct {
	access
	calls, at int
}

func (s *stumbling) Settle(ctx context.Context, c directory.Cause, p []id.Person, rev int64) error {
	if s.calls++; s.calls == s.at {
		return errors.New("stumbled")
	}
	return s.access.Settle(ctx, c, p, rev)
}

// A file that was interrupted is taken again from the beginning and ends as it would have: nothing is lost, nobody comes twice.
func TestInterrupted(t *testing.T) {
	run(t, func(w *world) {
		data := company(1200)
		w.f.Store.Access = &stumbling{at: 2}
		if _, err := w.try("a.full.csv", data); err == nil || atFault(err) {
			t.Fatalf("nothing stumbled: %v", err)
		}
		files, err := w.f.Files(t.Context(), w.source, 10)
		if err != nil || len(files) != 0 {
			t.Fatalf("remembered: %v %v", files, err)
		}
		rep := w.file("a.full.csv", data)
		same(t, "people", rep.Counts.New+rep.Counts.Unchanged, 1200)
		same(t, "some were there", rep.Counts.Unchanged >= 500, true)
		page, err := w.f.Store.FindRecords(t.Context(), directory.RecordQuery{Source: w.source})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "records", page.Total, 1200)
		same(t, "manager", w.record("001200").ManagerKey, "000120")
	})
}

// A folder: what is still being written waits, and holds up what comes after it; names and links of others are left alone.
func TestFolder(t *testing.T) {
	run(t, func(w *world) {
		dir := t.TempDir()
		write := func(name, data string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		there := func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		}
		d := &folder{Feeds: w.f, source: w.source, path: dir, seen: map[string]mark{}}
		look := func() {
			t.Helper()
			if err := d.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		write("1.full.csv", "工号,姓名\n00017,")
		write("2.delta.csv", "工号,岗位\n00017,主管\n")
		write(".3.delta.csv", "x")
		write("4.delta.csv.part", "x")
		if err := os.Symlink("/etc/passwd", filepath.Join(dir, "5.full.csv")); err != nil {
			t.Fatal(err)
		}
		look()
		write("1.full.csv", roster)
		look()
		same(t, "waits", there("1.full.csv") && there("2.delta.csv"), true)
		look()
		same(t, "taken", there("done/1.full.csv") && there("done/2.delta.csv") && there("done/2.delta.csv.report.json") && !there("1.full.csv"), true)
		same(t, "left alone", there(".3.delta.csv") && there("4.delta.csv.part") && there("5.full.csv"), true)
		same(t, "order", w.record("00017").Title, "主管")
		write("1.full.csv", roster+"x")
		write("6.csv", roster)
		look()
		look()
		same(t, "refused", there("failed/6.csv") && there("failed/6.csv.report.txt"), true)
		names, err := filepath.Glob(filepath.Join(dir, "done", "*-1.full.csv"))
		if err != nil || len(names) != 1 {
			t.Errorf("a second file of a name: %v %v", names, err)
		}
		// A crash between taking and moving: the file is told from before, and moved.
		if err := os.Rename(filepath.Join(dir, "done", "2.delta.csv"), filepath.Join(dir, "2.delta.csv")); err != nil {
			t.Fatal(err)
		}
		before := w.written()
		look()
		look()
		same(t, "moved", there("done/2.delta.csv") && !there("2.delta.csv"), true)
		same(t, "written", w.written(), before)
	})
}

// A mapping of an administrator stands over that of the configuration; one that cannot be used is not saved.
func TestMapping(t *testing.T) {
	run(t, func(w *world) {
		c := w.f.Configs[w.source]
		c.Mapping = Mapping{Columns: map[string]string{"代码": fNumber, "级": "label.grade"}, DateOrder: "mdy"}
		w.f.Configs[w.source] = c
		w.file("a.full.csv", "代码,级,Start date\nA1,P5,03/04/2026\n")
		same(t, "start", w.record("A1").StartAt, shanghai("2026-03-04"))
		if err := w.f.save(t.Context(), w.source, Mapping{Columns: map[string]string{"级": "label.level"}, DateOrder: "dmy", TimeZone: "Europe/Berlin"}, "adm", ""); err != nil {
			t.Fatal(err)
		}
		w.file("b.full.csv", "代码,级,Start date\nA1,P6,03/04/2026\n")
		r := w.record("A1")
		same(t, "start", r.StartAt, time.Date(2026, 4, 2, 22, 0, 0, 0, time.UTC))
		same(t, "labels", r.Labels["level"]+r.Labels["grade"], "P6P5")
		all := w.f.save(t.Context(), w.source, Mapping{Columns: map[string]string{"a": "salary", "b": "grade"}, Key: fEmail, DateOrder: "x", TimeZone: "Mars"}, "adm", "")
		for _, fault := range []string{`columns.a: "salary"`, `columns.b: "grade"`, "the fields are", "key: ", "date_order: ", "time_zone: "} {
			if all == nil || !strings.Contains(all.Error(), fault) {
				t.Errorf("%s is not told: %v", fault, all)
			}
		}
		_, twice := Mapping{}.match([]string{"Name", "Full name", "Mail", "E-mail"})
		if text := fmt.Sprint(twice); !strings.Contains(text, `"Name" and "Full name"`) || !strings.Contains(text, `"Mail" and "E-mail"`) || !strings.Contains(text, "no column says who") {
			t.Error(text)
		}
		for _, m := range []Mapping{{Columns: map[string]string{"a": "salary"}}, {Key: fEmail}, {DateOrder: "x"}, {TimeZone: "Mars"}, {TimeZones: map[string]string{"a": "x"}}, {NumberLength: -2}, {Columns: map[string]string{"": "title"}}} {
			if err := w.f.save(t.Context(), w.source, m, "adm", ""); !errors.Is(err, ErrMapping) {
				t.Errorf("%+v: %v", m, err)
			}
		}
		_, err := w.try("c.full.csv", "代码,姓名,Name\nA1,a,b\n")
		same(t, "two columns of one field", errors.Is(err, ErrUnreadable), true)
		_, err = w.try("d.full.csv", "姓名,邮箱\na,b\n")
		same(t, "no key", errors.Is(err, ErrUnreadable) && strings.Contains(err.Error(), "姓名, 邮箱"), true)
	})
}
