package main

import (
	"net/http"
	"strings"
)

// noWayBySource fails where somebody who may not know what is to come has a source tell them: by a token of it, or by what it once sent.
func (w *canaryWorld) noWayBySource() {
	w.t.Helper()
	at := "/api/v1/sources/" + string(w.scimSource())
	requests := at + "/requests"
	for _, c := range w.hidden {
		if c.name != "system" {
			continue
		}
		for _, body := range []string{`{"scope":"read"}`, `{"scope":"write"}`, `{}`} {
			if status, text := w.ask("POST", at+"/tokens", c.token, body); status != http.StatusForbidden || !strings.Contains(text, "future_hidden") {
				w.t.Errorf("a token %s for %s: %d %s", body, c.name, status, text)
			}
		}
		if status, text := w.ask("POST", "/api/v1/sources/"+string(w.feed.ID)+"/tokens", c.token, `{}`); status != http.StatusOK {
			w.t.Errorf("a token that reads nothing: %d %s", status, text)
		}
		for _, q := range []string{"leaveFrom", "disclosureDate", "endDate", "%E2%80%A6"} {
			if status, text := w.ask("GET", requests+"?limit=200&q="+q, c.token, ""); status != http.StatusOK || strings.Contains(text, `"resource":"`+w.link) {
				w.t.Errorf("searched for %s: %d %s", q, status, text)
			}
		}
		for _, one := range w.call("GET", requests+"?limit=200&method=PATCH", w.app.cfg.BootstrapToken, "")["items"].([]any) {
			_, text := w.ask("GET", requests+"/"+one.(map[string]any)["id"].(string), c.token, "")
			if strings.Contains(text, "leaveFrom") || strings.Contains(text, "disclosureDate") {
				w.t.Errorf("the body shows what is to come: %s", text)
			}
		}
	}
	if _, text := w.ask("GET", requests+"?limit=200&q=leaveFrom", w.app.cfg.BootstrapToken, ""); !strings.Contains(text, `"resource":"`+w.link) {
		w.t.Errorf("an owner finds nothing: %s", text)
	}
	made := w.call("POST", at+"/tokens", w.app.cfg.BootstrapToken, `{"scope":"read"}`)["secret"].(string)
	if status, text := w.ask("GET", "/scim/v2/Users/"+w.link, made, ""); status != http.StatusOK || !strings.Contains(text, "2031-06-29") {
		w.t.Errorf("a token that an owner made: %d %s", status, text)
	}
}
