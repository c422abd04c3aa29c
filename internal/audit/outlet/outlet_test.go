package outlet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

const limit = 20 * time.Second

// logged is a database with the tables that outlets read.
func logged(t *testing.T, d *db.DB) *db.DB {
	t.Helper()
	for _, migrate := range []func(context.Context, *db.DB) error{audit.Migrate, Migrate} {
		if err := migrate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func add(t *testing.T, d *db.DB, from, n int) {
	t.Helper()
	for i := range n {
		if err := d.Tx(t.Context(), func(tx *db.Tx) error {
			return audit.Append(tx, audit.Record{Actor: "a", Action: "thing.made", Subject: fmt.Sprintf("项目-%d", from+i), Personal: map[string]any{"name": "canary"}})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func keys(t *testing.T, name string) (secret, public string) {
	t.Helper()
	secret, public, err := NewKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return secret, public
}

// running runs an outlet until stop is called.
func running(t *testing.T, d *db.DB, c Config, secret string, every time.Duration) (stop func()) {
	t.Helper()
	if faults := Faults([]Config{c}); len(faults) > 0 {
		t.Fatal(faults)
	}
	signers, err := Signers(secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r := &Runner{DB: d, Log: slog.New(slog.DiscardHandler), Config: c, Signers: signers, Every: every, Node: "node-1", Retry: 20 * time.Millisecond}
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func until(t *testing.T, what string, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !fn(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func state(t *testing.T, d *db.DB, c Config) State {
	t.Helper()
	size, err := audit.Size(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	states, err := States(t.Context(), d, []Config{c}, size)
	if err != nil {
		t.Fatal(err)
	}
	return states[0]
}

// proven reads every file of a folder.
func proven(t *testing.T, path, public string) (Proof, error) {
	t.Helper()
	known, err := Verifiers([]string{public})
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{Keys: known}
	files, err := filepath.Glob(filepath.Join(path, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Read(file), file.Close()); err != nil {
			return Proof{}, err
		}
	}
	return s.Proof()
}

// Files hold every record once, in order and without what is personal, over restarts and a line that a crash cut; checkpoints prove them, and whatever is
// altered, left out or put in later shows.
func TestFiles(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		logged(t, d)
		secret, public := keys(t, "rollcall.example.com")
		dir := t.TempDir()
		c := Config{Name: "file", URL: "file://" + dir}
		add(t, d, 0, most+20)
		stop := running(t, d, c, secret, time.Second)
		until(t, "the first records are proven", func() bool { return state(t, d, c).CheckpointSize == most+20 })
		stop()
		name, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || len(name) == 0 {
			t.Fatal(name, err)
		}
		file, err := os.OpenFile(name[len(name)-1], os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(`{"seq":520,"leaf":"{\"se`); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		add(t, d, most+20, 7)
		stop = running(t, d, c, secret, time.Second)
		until(t, "the others are, too", func() bool { return state(t, d, c).CheckpointSize == most+27 })
		stop()
		proof, err := proven(t, dir, public)
		if err != nil || proof.Records != most+27 || proof.Proven != most+27 || proof.Repeated != 0 || proof.Checkpoints < 2 {
			t.Fatalf("%+v %v", proof, err)
		}
		report, err := audit.Verify(t.Context(), d, audit.Report{Size: proof.Records, Root: proof.Root})
		if err != nil || report.Root != proof.Root {
			t.Fatalf("%+v %v", report, err)
		}
		name, _ = filepath.Glob(filepath.Join(dir, "*.jsonl"))
		whole, err := os.ReadFile(name[0])
		if err != nil || bytes.Contains(whole, []byte("canary")) {
			t.Fatal("what is personal went out", err)
		}
		for what, forged := range map[string][]byte{
			"altered":  bytes.Replace(whole, []byte("项目-7"), []byte("项目-8"), 1),
			"left out": whole[bytes.IndexByte(whole, '\n')+1:],
			"twice":    append(append([]byte{}, whole...), []byte(`{"seq":3,"leaf":"{}"}`+"\n")...),
		} {
			known, _ := Verifiers([]string{public})
			if err := (&Stream{Keys: known}).Read(bytes.NewReader(forged)); !errors.Is(err, audit.ErrBroken) {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, other := keys(t, "rollcall.example.com")
		if _, err := proven(t, dir, other); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("signed by somebody else: %v", err)
		}
	})
}

// Whoever rewrites the log in the database, hashes and all, gets no checkpoint from then on: it is shown, and what is written later still goes out.
func TestRewritten(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		logged(t, d)
		secret, public := keys(t, "rollcall.example.com")
		dir := t.TempDir()
		c := Config{Name: "file", URL: "file://" + dir}
		add(t, d, 0, 5)
		stop := running(t, d, c, secret, time.Second)
		defer func() { stop() }()
		until(t, "a checkpoint", func() bool { return state(t, d, c).CheckpointSize == 5 })
		stop()
		if err := d.Tx(t.Context(), func(tx *db.Tx) error {
			return errors.Join(tx.Exec("delete from audit_records").Error, tx.Exec("delete from audit_personal").Error, tx.Exec("delete from audit_hashes").Error, tx.Exec("update audit_tree set size = 0").Error)
		}); err != nil {
			t.Fatal(err)
		}
		add(t, d, 100, 6)
		if _, err := audit.Verify(t.Context(), d, audit.Report{}); err != nil {
			t.Fatalf("the forgery is not whole: %v", err)
		}
		stop = running(t, d, c, secret, time.Second)
		until(t, "it is told", func() bool { return strings.Contains(state(t, d, c).Problem, audit.ErrBroken.Error()) })
		add(t, d, 106, 1)
		until(t, "records go out all the same", func() bool {
			text, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
			whole, err := os.ReadFile(text[len(text)-1])
			return err == nil && bytes.Contains(whole, []byte("项目-106"))
		})
		if s := state(t, d, c); s.CheckpointSize != 5 || s.ProblemSince.IsZero() {
			t.Errorf("%+v", s)
		}
		if _, err := proven(t, dir, public); err != nil {
			t.Logf("the files alone show it as well: %v", err)
		}
	})
}

// While a key is exchanged for another both sign, and either verifies.
func TestKeysRotate(t *testing.T) {
	first, firstPublic := keys(t, "a.example.com")
	second, secondPublic := keys(t, "b.example.com")
	signers, err := Signers(first + "\n" + second + "\n")
	if err != nil || len(signers) != 2 {
		t.Fatal(signers, err)
	}
	var tree audit.Tree
	root, err := tree.Root(0)
	if err != nil {
		t.Fatal(err)
	}
	made, err := signed(0, root, signers)
	if err != nil {
		t.Fatal(err)
	}
	for _, public := range []string{firstPublic, secondPublic} {
		known, err := Verifiers([]string{public})
		if err != nil {
			t.Fatal(err)
		}
		said, err := Open(made.Text, known)
		if err != nil || said.Root != root {
			t.Errorf("%+v %v", said, err)
		}
		if _, err := Open(strings.Replace(made.Text, "\n0\n", "\n1\n", 1), known); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("altered: %v", err)
		}
	}
	if _, err := Signers("PRIVATE+KEY+half"); err == nil || strings.Contains(err.Error(), "half") {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestFaults(t *testing.T) {
	secret := "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	for name, c := range map[string]struct {
		config Config
		key    string // that is found wrong; empty: none
	}{
		"file":           {Config{Name: "a", URL: "file:///var/log/x"}, ""},
		"relative":       {Config{Name: "a", URL: "file://x/y"}, "[0].url"},
		"https":          {Config{Name: "a", URL: "https://siem.example.com/x", Secret: secret}, ""},
		"plain":          {Config{Name: "a", URL: "http://siem.example.com/x", Secret: secret}, "[0].url"},
		"loopback":       {Config{Name: "a", URL: "http://127.0.0.1:9/x", Secret: secret}, ""},
		"no secret":      {Config{Name: "a", URL: "https://siem.example.com/x"}, "[0].secret"},
		"password":       {Config{Name: "a", URL: "https://u:p@siem.example.com/x", Secret: secret}, "[0].url"},
		"syslog":         {Config{Name: "a", URL: "syslog+tls://siem.example.com:6514"}, ""},
		"syslog no port": {Config{Name: "a", URL: "syslog+tls://siem.example.com"}, "[0].url"},
		"syslog plain":   {Config{Name: "a", URL: "syslog+tcp://siem.example.com:601"}, "[0].url"},
		"udp":            {Config{Name: "a", URL: "syslog+udp://127.0.0.1:601"}, "[0].url"},
		"name":           {Config{Name: "A b", URL: "file:///x"}, "[0].name"},
		"s3":             {Config{Name: "a", URL: "s3://b/p", Secret: "s", S3: S3{Endpoint: "https://s3.example.com", AccessKey: "k"}}, ""},
		"s3 short":       {Config{Name: "a", URL: "s3://b/p", Secret: "s", S3: S3{Endpoint: "https://s3.example.com", AccessKey: "k", Retain: time.Hour}}, "[0].retain"},
		"half a pair":    {Config{Name: "a", URL: "syslog+tls://h:1", Cert: "x"}, "[0].client_cert"},
	} {
		found := Faults([]Config{c.config})
		if c.key == "" && len(found) > 0 || c.key != "" && (len(found) != 1 || found[0].Key != c.key) {
			t.Errorf("%s: %v", name, found)
		}
	}
	if found := Faults([]Config{{Name: "a", URL: "file:///x"}, {Name: "a", URL: "file:///y"}}); len(found) != 1 {
		t.Error(found)
	}
}
