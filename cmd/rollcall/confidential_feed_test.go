package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// A preview of a personnel file tells whoever may not see what is to come nothing of it: it answers alike whether a move, an end or a leave is
// planned of somebody or nothing is, and whether or not what the file says of that fits.
func TestConfidentialFeed(t *testing.T) {
	b := newBench(t, db.SQLite)
	source, err := b.app.people.CreateSource(t.Context(), directory.Cause{Actor: "system"}, directory.Source{Name: "payroll", Kind: directory.KindHRFeed,
		Correlate: []string{directory.CorrelateExternalID}, Priority: 1})
	if err != nil {
		t.Fatal(err)
	}
	b.hire(1)
	who, _ := b.person("u1")
	admin := b.admin(who, roles.Grant{Role: roles.System}, true)
	path := "/api/v1/sources/" + string(source.ID) + "/feed?kind=delta"
	hand := func(token, query, rows string) string {
		request, err := http.NewRequest("POST", b.url+path+query, strings.NewReader(rows))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s %v", answer.StatusCode, text, err)
		}
		return string(text)
	}
	hand(b.app.cfg.BootstrapToken, "", "工号,操作,姓名,部门\nS1,入职,Person S,R&D\n")
	probes := []string{"工号,操作\nS1,撤销\n", "工号,操作,生效日期\nS1,撤销,2031-01-17\n", "工号,操作,生效日期,部门\nS1,调动,2031-01-17,Target\n",
		"工号,操作,最后工作日\nS1,离职,2031-03-05\n", "工号,操作\nS1,销假\n", "工号,部门\nS1,Sales\n"}
	volatile := regexp.MustCompile(`"(run|at|seconds|sha256)":("[^"]*"|[0-9.e-]+)`)
	look := func(token string) (out []string) {
		for _, rows := range probes {
			out = append(out, volatile.ReplaceAllString(hand(token, "&preview=true", rows), ""))
		}
		return out
	}
	before := look(admin)
	for i, planned := range []string{"工号,操作,生效日期,部门\nS1,调动,2031-01-17,Target\n", "工号,操作,最后工作日\nS1,离职,2031-03-05\n", "工号,操作,生效日期\nS1,休假,2031-02-11\n"} {
		if text := hand(b.app.cfg.BootstrapToken, "", planned+"\n"); !strings.Contains(text, `"changed":1`) {
			t.Fatalf("nothing is planned: %s", text)
		}
		for j, text := range look(admin) {
			if text != before[j] || strings.Contains(text, "2031-") {
				t.Errorf("plan %d, file %d, answers\n%s\nand before that anything was planned\n%s", i, j, text, before[j])
			}
		}
	}
	if seen := fmt.Sprint(look(b.app.cfg.BootstrapToken)); !strings.Contains(seen, "2031-03") || !strings.Contains(seen, `"planned"`) {
		t.Errorf("who may see what is to come sees %s", seen)
	}
	if !strings.Contains(before[5], "Sales") {
		t.Errorf("what changes at once is not shown: %s", before[5])
	}
}
