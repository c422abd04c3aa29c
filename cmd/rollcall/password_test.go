package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// password LOGIN PASSWORD [CODE]: signs in with a password. With "!" it is refused, with this code.
func passwordWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	body, err := json.Marshal(map[string]string{"login": args[0], "password": args[1]})
	ts.Check(err)
	s.request(ts, "POST", "/auth/password", "", string(body))
	if failed := s.status >= 400; failed != neg || neg && len(args) > 2 && s.field(ts, "code") != args[2] {
		ts.Fatalf("%d %s\nserver log:\n%s", s.status, s.body, s.logText())
	}
	if !neg {
		s.cookie = strings.SplitN(s.header.Get("Set-Cookie"), ";", 2)[0]
	}
}

// session [STATUS]: asks who the last one is who signed in with a password; 200 where no status is given.
func sessionWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	request, err := http.NewRequest("GET", ts.Getenv("ROLLCALL_URL")+"/api/v1/me", nil)
	ts.Check(err)
	request.Header.Set("Cookie", s.cookie)
	s.send(ts, request)
	if want := append(args, "200")[0]; strconv.Itoa(s.status) != want {
		ts.Fatalf("%d %s", s.status, s.body)
	}
}

// carry NAME ROLE: puts into $TOKEN_NAME a token of the last one who signed in with a password, which carries a role that they have.
func carryWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	body, err := json.Marshal(map[string]any{"name": "story", "role": args[1], "dangerous": true})
	ts.Check(err)
	request, err := http.NewRequest("POST", ts.Getenv("ROLLCALL_URL")+"/api/v1/me/tokens", bytes.NewReader(body))
	ts.Check(err)
	request.Header.Set("Cookie", s.cookie)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", ts.Getenv("ROLLCALL_URL"))
	s.send(ts, request)
	if s.status >= 400 {
		ts.Fatalf("token with the role %s: %d %s", args[1], s.status, s.body)
	}
	ts.Setenv("TOKEN_"+strings.ToUpper(args[0]), s.field(ts, "token"))
}
