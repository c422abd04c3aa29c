package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openfga/go-sdk/client"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// startExternal starts OpenFGA's own server as a process and answers its address and key.
func startExternal(t *testing.T) (url, key string) {
	t.Helper()
	found, err := filepath.Glob("../.deps/bin/openfga-v*")
	if err != nil || len(found) == 0 {
		t.Skipf("skipped: openfga is not installed (make deps does): %v", err)
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	at, key := free(), "outside"
	server := exec.Command(found[0], "run", "--datastore-engine", "memory", "--http-addr", at, "--grpc-addr", free(), "--playground-enabled=false",
		"--metrics-enabled=false", "--log-level", "error", "--authn-method", "preshared", "--authn-preshared-keys", key)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + at + "/healthz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return "http://" + at, key
			}
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("openfga does not come up: %v", err)
		}
	}
}

// everyOpenFGA runs a test against the server in this process on both databases, and against one of its own.
func everyOpenFGA(t *testing.T, fn func(t *testing.T, s *Store, ours, outside *Engine)) {
	for _, kind := range []string{"embedded on sqlite", "embedded on postgres", "external"} {
		t.Run(kind, func(t *testing.T) {
			engine := db.SQLite
			if kind == "embedded on postgres" {
				engine = db.Postgres
			}
			app := dbtest.DSN(t, engine)
			s := newStore(t, dbtest.Open(t, app))
			config := EngineConfig{URL: EmbeddedURL, Timeout: 10 * time.Second, Parallel: 4}
			switch {
			case kind == "external":
				config.URL, config.Token = startExternal(t)
			case engine == db.Postgres:
				config.Transport = startEmbedded(t, app)
			default:
				config.Transport = startEmbedded(t, "sqlite:"+filepath.Join(t.TempDir(), "openfga.db"))
			}
			var both []*Engine
			for _, node := range []string{"node", "somebody else"} {
				config.Node = node
				e, err := NewEngine(s, config)
				if err == nil {
					err = e.Ensure(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				both = append(both, e)
			}
			fn(t, s, both[0], both[1])
		})
	}
}

func behind(t *testing.T, outside *Engine, changes ...Change) {
	t.Helper()
	for _, c := range changes {
		if err := outside.write(t.Context(), []Change{c}); err != nil {
			t.Fatal(err)
		}
	}
}

// said answers the actions of the audit log, oldest first, with who each was about and what it said.
func said(t *testing.T, s *Store) (all []string) {
	t.Helper()
	records, err := audit.List(t.Context(), s.db, audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range slices.Backward(records) {
		line := r.Action + " " + r.Subject
		if user, ok := r.Personal["user"]; ok {
			line += fmt.Sprint(" ", user, " ", r.Personal["relation"], " ", r.Personal["object"])
		}
		if class, ok := r.Public["class"]; ok {
			line += fmt.Sprint(" ", class, " wrong: ", r.Public["wrong"])
		}
		all = append(all, line)
	}
	return all
}

// What others write to OpenFGA is removed and what they delete is written again, each told to the audit log; our own changes are not looked at twice,
// and another node goes on where this one was.
func TestForeignTuples(t *testing.T) {
	everyOpenFGA(t, func(t *testing.T, s *Store, e, outside *Engine) {
		ann, bob, eve := tuple("user:per_ann", "owner", "project:p"), tuple("user:per_bob", "owner", "project:p"), tuple("user:eve@example.com", "writer", "channel:chn_c")
		cid := ann
		cid.User, cid.Until = "user:per_cid", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		changes := []Change{put("channel:chn_c", "org", "org:main"), put("channel:chn_c", "manager", "project:p#owner"), Put(ann), Put(cid)}
		for n := range 150 { // more than one page
			changes = append(changes, put("project:p", "participant", fmt.Sprint("user:per_", n)))
		}
		add(t, s, changes...)
		add(t, s, Remove(changes[20].Tuple))
		drain(t, e)
		x := loaded(t, s)
		look := func(foreign, missing int) Report {
			t.Helper()
			r, err := e.Foreign(t.Context())
			if err != nil || len(r.Foreign) != foreign || len(r.Missing) != missing {
				t.Fatalf("found %+v, %v", r, err)
			}
			return r
		}
		if r := look(0, 0); r.Read != len(changes)-1 {
			t.Errorf("%d changes read, %d made", r.Read, len(changes)-1)
		}
		longer := cid
		longer.Until = longer.Until.Add(time.Hour)
		behind(t, outside, Put(bob), Put(eve), Remove(ann), Remove(cid), Put(longer))
		if ok, err := outside.Check(t.Context(), "per_bob", "chn_c", View); err != nil || !ok {
			t.Fatalf("what was written from outside is not in force in OpenFGA: %v, %v", ok, err)
		}
		if ok, _ := x.Allow("per_bob", "chn_c", View); ok {
			t.Error("a foreign tuple grants")
		}
		look(3, 2)
		want := []string{"authz.foreign_tuple openfga user:eve@example.com writer channel:chn_c", "authz.foreign_tuple per_bob user:per_bob owner project:p",
			"authz.foreign_tuple per_cid user:per_cid owner project:p", "authz.missing_tuple per_ann user:per_ann owner project:p", "authz.missing_tuple per_cid user:per_cid owner project:p"}
		got := said(t, s)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("the audit log says %q", got)
		}
		for person, may := range map[id.Person]bool{"per_ann": true, "per_bob": false, "per_cid": true, "eve@example.com": false} {
			if ok, err := e.Check(t.Context(), person, "chn_c", View); err != nil || ok != may {
				t.Errorf("%s after the repair: %v, %v", person, ok, err)
			}
		}
		if f := e.Figures(); f.Foreign != 3 || f.Missing != 2 {
			t.Errorf("counted %+v", f)
		}
		for range 3 {
			look(0, 0)
		}
		row, err := e.row(t.Context())
		if err != nil || row.ChangesToken == "" {
			t.Fatalf("no position is kept: %+v, %v", row, err)
		}
		e.resign(t.Context())
		add(t, s, put("project:p", "owner", "user:per_dan"))
		drain(t, outside) // it leads now
		if r, err := outside.Foreign(t.Context()); err != nil || r.Read > 20 || len(r.Foreign)+len(r.Missing) != 0 {
			t.Errorf("the next leader does not go on where the last was: %+v, %v", r, err)
		}
		if _, err := e.Foreign(t.Context()); !errors.Is(err, ErrNotLeader) {
			t.Errorf("two look: %v", err)
		}
	})
}

// A position of another server, or of a database that was restored, is no reason to look no more.
func TestForeignPositionLost(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	e := ensured(t, s, startEmbedded(t, "sqlite:"+filepath.Join(t.TempDir(), "openfga.db")))
	drain(t, e)
	if err := s.db.Tx(t.Context(), func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set changes_token = 'eyJub3QiOiJvdXJzIn0=', sweep_at = ?", db.At(time.Now().Add(time.Hour))).Error
	}); err != nil {
		t.Fatal(err)
	}
	add(t, s, house()...)
	drain(t, e)
	behind(t, e, put("project:p", "owner", "user:eve"))
	if _, err := e.Foreign(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.sweepDue(t.Context()); err != nil || e.Figures().Foreign != 1 {
		t.Errorf("nobody looked: %v, %+v", err, e.Figures())
	}
}

// An authorization model that others wrote to our store is told of once, whoever leads afterwards, and nothing of ours is asked by it. One that a later
// version of ours wrote is not one of them.
func TestForeignModels(t *testing.T) {
	everyOpenFGA(t, func(t *testing.T, s *Store, e, outside *Engine) {
		add(t, s, put("channel:chn_c", "org", "org:main"), put("channel:chn_c", "reader", "user:per_ann"))
		drain(t, e)
		look := func(want ...string) {
			t.Helper()
			if found, err := e.ForeignModels(t.Context()); err != nil || !slices.Equal(found, want) {
				t.Fatalf("found %v, not %v; %v", found, want, err)
			}
		}
		look()
		ours := *e.ids.Load()
		const open = `{"schema_version":"1.1","type_definitions":[{"type":"user"},{"type":"channel","relations":{"can_view":{"this":{}},"reader":{"this":{}}},
			"metadata":{"relations":{"can_view":{"directly_related_user_types":[{"type":"user"}]},"reader":{"directly_related_user_types":[{"type":"user"}]}}}}]}`
		var body client.ClientWriteAuthorizationModelRequest
		if err := json.Unmarshal([]byte(open), &body); err != nil {
			t.Fatal(err)
		}
		var strange []string
		for range 12 { // more than a page
			made, err := outside.fga.WriteAuthorizationModel(t.Context()).Body(body).Options(client.ClientWriteAuthorizationModelOptions{StoreId: &ours.store}).Execute()
			if err != nil {
				t.Fatal(err)
			}
			strange = append(strange, made.AuthorizationModelId)
		}
		look(strange...)
		look()
		if f := e.Figures(); f.Models != 12 {
			t.Errorf("figures: %+v", f)
		}
		if got := said(t, s); len(got) != 12 {
			t.Errorf("the audit log says %q", got)
		}
		if got := *e.ids.Load(); got != ours {
			t.Errorf("ours was %v, and is %v", ours, got)
		}
		if ok, err := e.Check(t.Context(), "per_ann", "chn_c", View); err != nil || !ok {
			t.Errorf("what our model lets in: %v, %v", ok, err) // in theirs nobody may see anything
		}
		if err := s.db.Tx(t.Context(), func(tx *db.Tx) error { // a later version comes
			return tx.Exec("update authz_engine set model_hash = 'of another version' where id = 1").Error
		}); err != nil {
			t.Fatal(err)
		}
		if err := e.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		look()
	})
}

// crowd is an organisation with somebody of each class.
func crowd() []Change {
	later := put("project:p", "owner", "user:per_later")
	later.Tuple.From = time.Now().Add(time.Hour)
	return []Change{
		put("channel:chn_c", "org", "org:main"), put("channel:chn_d", "org", "org:main"), put("org:main", "frozen", "freeze:f#subject"), put("org:main", "paused", "pause:p#subject"),
		put("channel:chn_c", "manager", "project:p#owner"), later, put("project:p", "owner", "user:per_in"), put("channel:chn_d", "reader", "user:per_out"),
		put("project:p", "owner", "user:per_frozen"), put("freeze:f", "subject", "user:per_frozen"), put("project:p", "owner", "user:per_paused"), put("pause:p", "subject", "user:per_paused"),
	}
}

// decided is one decision of each class, with what is wrong in OpenFGA where it says otherwise.
var decided = map[string]struct {
	person id.Person
	action string
	wrong  Change
}{
	"allowed": {"per_in", Post, Remove(tuple("user:per_in", "owner", "project:p"))},
	"outside": {"per_out", View, put("channel:chn_c", "reader", "user:per_out")},
	"window":  {"per_later", View, put("project:p", "participant", "user:per_later")},
	"frozen":  {"per_frozen", View, Remove(tuple("user:per_frozen", "subject", "freeze:f"))},
	"paused":  {"per_paused", Post, Remove(tuple("user:per_paused", "subject", "pause:p"))},
	"unknown": {"per_nobody", View, put("channel:chn_c", "reader", "user:per_nobody")},
	"clock":   {"per_ends", View, Remove(tuple("user:per_ends", "owner", "project:p"))},
	"lease":   {"per_in", View, Remove(tuple("user:per_in", "owner", "project:p"))},
	"sample":  {"per_in", Manage, Remove(tuple("user:per_in", "owner", "project:p"))}, // nobody asked
}

// Each decision that was made, whatever its class, is compared with OpenFGA: where both agree that is counted; where they differ it is denied from
// then on, counted by its class, told to the audit log once, and OpenFGA put right, after which it is as before.
func TestEveryClassIsCompared(t *testing.T) {
	everyOpenFGA(t, func(t *testing.T, s *Store, e, outside *Engine) {
		changes := crowd()
		ends := put("project:p", "owner", "user:per_ends")
		ends.Tuple.Until = time.Now().Add(time.Hour)
		changes = append(changes, ends)
		changes = append(changes, put("channel:chn_c", "writer", "project:p#participant"))
		add(t, s, changes...)
		drain(t, e)
		x := loaded(t, s)
		var cut []id.Person
		x.Attach(func(_ int64, people []id.Person, _ []id.Channel) { cut = append(cut, people...) })
		ctx := t.Context()
		compare := func(sample int) Comparison {
			t.Helper()
			c, err := e.Compare(ctx, x, sample)
			if err != nil || c.Unasked != 0 {
				t.Fatalf("%+v, %v", c, err)
			}
			return c
		}
		for class, d := range decided {
			decide := func() (ok bool) {
				switch class {
				case "sample":
					return false
				case "clock":
					x.untimed.Store(true)
					defer x.untimed.Store(false)
				case "lease":
					x.lease = newLease()
					defer func() { x.lease = nil }()
				}
				ok, _ = x.Allow(d.person, "chn_c", d.action)
				return ok
			}
			sample := 0
			if class == "sample" {
				sample = 60
			}
			compare(0)
			x.witness.spread.Store(1)
			ok, before := decide(), e.Figures()
			if c := compare(sample); c.Checked == 0 || len(c.Different) != 0 || e.Figures().Compared[class] == before.Compared[class] {
				t.Errorf("%s: not compared: %+v", class, c)
			}
			records := len(said(t, s))
			behind(t, outside, d.wrong)
			x.witness.spread.Store(1)
			cut = nil
			decide()
			c := compare(sample)
			if len(c.Different) == 0 || e.Figures().Different[class] != before.Different[class]+1 {
				t.Errorf("%s: the difference is not counted: %+v", class, c)
				continue
			}
			for _, action := range []string{View, Post, Manage} {
				if ok, _ := x.Allow(d.person, "chn_c", action); ok {
					t.Errorf("%s: %s is let in where OpenFGA says otherwise", class, action)
				}
			}
			if _, known := x.people.get(string(d.person)); known && (x.Doubted() != 1 || fmt.Sprint(cut) != fmt.Sprintf("[%s]", d.person)) {
				t.Errorf("%s: %d are doubted, %v were cut off", class, x.Doubted(), cut)
			}
			compare(0) // known by now
			told := said(t, s)[records:]
			if want := []string{fmt.Sprintf("authz.diverged %s %s wrong: openfga", d.person, class)}; !slices.Equal(told, want) {
				t.Errorf("%s: the audit log says %q", class, told)
			}
			if err := e.sweepDue(ctx); err != nil {
				t.Fatal(err)
			}
			if told := said(t, s)[records+1:]; len(told) != 1 || !strings.HasSuffix(strings.Fields(told[0])[0], "_tuple") {
				t.Errorf("%s: of the repair the audit log says %q", class, told)
			}
			if c := compare(0); len(c.Different) != 0 || x.Doubted() != 0 {
				t.Errorf("%s: after the repair: %+v, %d doubted", class, c, x.Doubted())
			}
			if again := decide(); again != ok {
				t.Errorf("%s: decided %v, and %v after the repair", class, ok, again)
			}
		}
	})
}

// Where it is the index that is wrong it denies at once and is loaded again.
func TestWrongIndexIsLoadedAgain(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	e := ensured(t, s, startEmbedded(t, "memory:"))
	add(t, s, crowd()...)
	drain(t, e)
	x := loaded(t, s)
	x.mu.Lock()
	x.g.apply(put("project:p", "owner", "user:per_out"))
	x.mu.Unlock()
	x.publish(x.plan(x.at(), false), x.Revision())
	x.witness.take()
	x.witness.spread.Store(1)
	if ok, _ := x.Allow("per_out", "chn_c", View); !ok {
		t.Fatal("the index is not wrong")
	}
	if c, err := e.Compare(t.Context(), x, 0); err != nil || len(c.Different) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if got := said(t, s); fmt.Sprint(got) != "[authz.diverged per_out allowed wrong: index]" {
		t.Errorf("the audit log says %q", got)
	}
	if x.undoubted(question{person: "per_out", channel: "chn_c"}) {
		t.Error("the index is as wrong as before")
	}
	if ok, _ := x.Allow("per_out", "chn_c", View); ok {
		t.Error("a difference allows")
	}
	if c, err := e.Compare(t.Context(), x, 0); err != nil || len(c.Different) != 0 || x.Doubted() != 0 {
		t.Errorf("after the repair: %+v, %v, %d doubted", c, err, x.Doubted())
	}
}

type cutOff struct {
	http.RoundTripper
	cut bool
}

func (c *cutOff) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.cut && !strings.HasSuffix(r.URL.Path, "/write") {
		return nil, errors.New("nobody there")
	}
	return c.RoundTripper.RoundTrip(r)
}

// Where OpenFGA does not answer nothing is taken for compared, and what is doubted stays closed.
func TestNotAskedIsNotAgreed(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	way := &cutOff{RoundTripper: startEmbedded(t, "memory:")}
	e := ensured(t, s, way)
	add(t, s, crowd()...)
	drain(t, e)
	x := loaded(t, s)
	behind(t, e, decided["allowed"].wrong)
	ask := func() {
		x.witness.take()
		x.witness.spread.Store(1)
		x.Allow("per_in", "chn_c", View)
		x.Allow("per_out", "chn_c", View)
	}
	ask()
	if c, err := e.Compare(t.Context(), x, 0); err != nil || len(c.Different) != 1 || x.Doubted() != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	drain(t, e)
	if err := e.sweepDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	way.cut = true
	ask()
	before := e.Figures()
	c, err := e.Compare(t.Context(), x, 10)
	if err == nil || c.Checked != 0 || c.Unasked != 2+3+10 {
		t.Errorf("%+v, %v", c, err)
	}
	after := e.Figures()
	if after.Unasked["outside"] != before.Unasked["outside"]+1 || after.Unasked["doubted"] != before.Unasked["doubted"]+4 || after.Unasked["sample"] != before.Unasked["sample"]+10 || fmt.Sprint(after.Compared) != fmt.Sprint(before.Compared) {
		t.Errorf("counted %+v", after)
	}
	if ok, _ := x.Allow("per_in", "chn_c", View); ok || x.Doubted() != 1 {
		t.Error("a doubt ends although nobody was asked")
	}
	way.cut = false
	if c, err := e.Compare(t.Context(), x, 0); err != nil || len(c.Different) != 0 || x.Doubted() != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// The loop of a server does all of it by itself.
func TestWatch(t *testing.T) {
	everyOpenFGA(t, func(t *testing.T, s *Store, e, outside *Engine) {
		add(t, s, crowd()...)
		x := loaded(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 2)
		go func() { ended <- e.Run(ctx) }()
		go func() { ended <- e.Watch(ctx, x) }()
		defer func() { cancel(); <-ended; <-ended }()
		for caughtUp := false; !caughtUp; time.Sleep(20 * time.Millisecond) {
			caughtUp, _ = e.CaughtUp(ctx)
		}
		behind(t, outside, put("channel:chn_c", "reader", "user:per_out"), Remove(tuple("user:per_in", "owner", "project:p")))
		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			foreign, err := e.Check(ctx, "per_out", "chn_c", View)
			missing, other := e.Check(ctx, "per_in", "chn_c", View)
			if err := errors.Join(err, other); err != nil {
				t.Fatal(err)
			}
			if !foreign && missing {
				t.Logf("put right after %s", time.Since(began))
				return
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("foreign %v, missing %v", foreign, missing)
			}
		}
	})
}
