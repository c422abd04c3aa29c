package main

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

const archivePolicy = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels:
      - {key: open, name: {en: Open, zh: 公开}}
      - {key: hidden, name: {en: Hidden, zh: 内部}, access: {owner: none}}
      - {key: late, name: {en: Late, zh: 后来}, default_history: joining}
    rules:
      - {key: leads, role: owner, when: person.title == "Head"}
      - {key: all, role: participant, when: person.title != "Head"}
`

// An archive holds what whoever fetches it could read when the project group was closed, and is theirs for as long as they are not kept out.
func TestArchiveIsOfWhoOwnedIt(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			b := newBench(t, engine)
			ctx := context.Background()
			cause := directory.Cause{Actor: "system"}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.app.access.SetPolicy(ctx, cause, []provisioning.File{{Name: "p.yaml", Source: archivePolicy}})
			must(err)
			hire := func(login, title string) (id.Person, string) {
				b.call("POST", "/scim/v2/Users", b.scim, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+login+`","active":true,"displayName":"<b>`+login+`</b>","title":"`+title+`"}`)
				_, err := b.app.access.ReconcileAll(ctx)
				must(err)
				person, token := b.person(login)
				return id.Person(person), token
			}
			staff, staffToken := hire("staff", "Clerk")
			channels := map[string]id.Channel{}
			groups, err := b.app.access.Groups(ctx)
			must(err)
			for _, c := range groups[0].Channels {
				channels[c.Key] = c.ID
				if status, body := b.ask("POST", "/api/v1/channels/"+string(c.ID)+"/messages", staffToken, `{"client_id":"1","text":"early-`+c.Key+` <script>x</script>"}`); status != http.StatusCreated {
					t.Fatal(status, body)
				}
			}
			head, headToken := hire("head", "Head")
			for key, c := range channels {
				b.ask("POST", "/api/v1/channels/"+string(c)+"/messages", staffToken, `{"client_id":"2","text":"after-`+key+`"}`)
			}
			mine := directory.Cause{Actor: string(head), Behind: head, Reason: "done"}
			toll, err := b.app.guests.LookClosing(ctx, mine, groups[0].ID, false)
			must(err)
			closing, err := b.app.guests.CloseProject(ctx, mine, groups[0].ID, toll.Plan.ID, toll.Basis, false)
			must(err)
			path := "/api/v1/me/closings/" + string(closing.ID) + "/archive"
			if status, _ := b.ask("GET", path, staffToken, ""); status != http.StatusNotFound {
				t.Errorf("%s, who did not own it: %d", staff, status)
			}
			status, body := b.ask("GET", path, headToken, "")
			if status != http.StatusOK {
				t.Fatal(status, body)
			}
			z, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
			must(err)
			var all bytes.Buffer
			files := map[string]string{}
			for _, f := range z.File {
				r, err := f.Open()
				must(err)
				text, err := io.ReadAll(r)
				must(err)
				files[f.Name] = string(text)
				all.Write(text)
			}
			for _, name := range []string{"messages/open.jsonl", "channels/open.html"} {
				if !strings.Contains(files[name], "early-open") || !strings.Contains(files[name], "after-open") {
					t.Errorf("%s is not whole: %s", name, files[name])
				}
			}
			for word, in := range map[string]bool{"early-late": false, "after-late": true, "early-hidden": false, "after-hidden": false} {
				if strings.Contains(all.String(), word) != in {
					t.Errorf("%q is in the archive: %v", word, !in)
				}
			}
			for _, name := range []string{"index.html", "channels/open.html"} {
				if page := files[name]; strings.Contains(page, "<script") || strings.Contains(page, "<b>") || !strings.Contains(page, "default-src 'none'") {
					t.Errorf("%s is not inert: %s", name, page)
				}
			}
			for name, want := range map[string]string{"memberships.jsonl": `"ref":"apollo/all"`, "audit.jsonl": "project.closed", "project.jsonl": string(closing.ID), "index.html": "阿波罗"} {
				if !strings.Contains(files[name], want) {
					t.Errorf("%s does not say %s: %s", name, want, files[name])
				}
			}
			_, err = b.app.people.Apply(ctx, cause, directory.FreezePerson{Person: head})
			must(err)
			if status, _ := b.ask("GET", path, headToken, ""); status == http.StatusOK {
				t.Error("whoever is kept out fetches it")
			}
		})
	}
}
