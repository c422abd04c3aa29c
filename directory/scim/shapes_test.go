package scim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/clients")

const idPattern = `\b(lnk|dgr|res)_[0-9a-hjkmnp-tv-z]{26}\b`

// TestClients plays what real clients send, word by word, and holds the answers. A file is a conversation: a
// section named "METHOD path" is a request, the section behind it, named by the status, the answer. Ids stand as
// lnk_1, dgr_1 … in the order of their appearance; lines "Name: value" before a body are headers.
//
// holds: J01
// holds: J05
// holds: J06
// holds: J14
// holds: J16
// holds: J26
func TestClients(t *testing.T) {
	files, err := filepath.Glob("testdata/clients/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no conversations")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB) { converse(t, d, file) })
		})
	}
}

// TestCustom plays the life of a resource type that a third party defined.
func TestCustom(t *testing.T) {
	definitions, err := LoadDefinitions(os.DirFS("testdata/custom"))
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		converse(t, d, "testdata/custom/device.txtar", func(o *Options) { o.Definitions = definitions })
	})
}

func converse(t *testing.T, d *db.DB, file string, change ...func(*Options)) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, d, change...)
	clock := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	s.store.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
	names, ids := map[string]string{}, map[string]string{}
	pattern := regexp.MustCompile(idPattern)
	symbolic := regexp.MustCompile(`\b(lnk|dgr|res)_[0-9]+\b`)
	name := func(actual string) string {
		if names[actual] == "" {
			n := 1
			for ids[fmt.Sprintf("%s%d", actual[:4], n)] != "" {
				n++
			}
			names[actual] = fmt.Sprintf("%s%d", actual[:4], n)
			ids[names[actual]] = actual
		}
		return names[actual]
	}
	real := func(s string) string {
		return symbolic.ReplaceAllStringFunc(s, func(n string) string {
			if ids[n] != "" {
				return ids[n]
			}
			return n
		})
	}
	for i := 0; i < len(archive.Files); i += 2 {
		request := archive.Files[i]
		method, path, ok := strings.Cut(request.Name, " ")
		if !ok {
			t.Fatalf("%s: %q is not a request", file, request.Name)
		}
		headers, body := splitHeaders(string(request.Data))
		got := s.do(method, real(path), real(body), headers...)
		text := pattern.ReplaceAllStringFunc(describeReply(t, got), name)
		want := txtar.File{Name: fmt.Sprint(got.status), Data: []byte(text)}
		if *update {
			if i+1 == len(archive.Files) || strings.Contains(archive.Files[i+1].Name, " ") {
				archive.Files = append(archive.Files[:i+1], append([]txtar.File{want}, archive.Files[i+1:]...)...)
			}
			archive.Files[i+1] = want
			continue
		}
		if i+1 >= len(archive.Files) {
			t.Fatalf("%s: no answer to %s", file, request.Name)
		}
		if golden := archive.Files[i+1]; golden.Name != want.Name || string(golden.Data) != text {
			t.Errorf("%s\n%s\ngot %s\n%s\nwant %s\n%s", request.Name, body, want.Name, text, golden.Name, golden.Data)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func splitHeaders(data string) (headers []string, body string) {
	header := regexp.MustCompile(`^[A-Z][A-Za-z-]+: `)
	for {
		line, rest, _ := strings.Cut(data, "\n")
		if !header.MatchString(line) {
			return headers, strings.TrimSpace(data)
		}
		headers, data = append(headers, line), rest
	}
}

func describeReply(t *testing.T, r reply) string {
	var b strings.Builder
	for _, name := range []string{"Location", "Etag", "Allow"} {
		if v := r.header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if r.body != nil {
		var text strings.Builder
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		if err := encoder.Encode(r.body); err != nil {
			t.Fatal(err)
		}
		b.WriteString(text.String())
	}
	return b.String()
}
