package scim

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is secret leaves a body, wherever it stands and however it is written; the rest stays as sent.
func TestMask(t *testing.T) {
	m := newMask([]*kind{userKind(), groupKind()})
	for body, want := range map[string]string{
		`{"userName":"张伟","active":true}`:                                                                `{"userName":"张伟","active":true}`,
		`{"userName":"a", "password" : "hunter2" ,"x":1}`:                                                `{"userName":"a", "password" : "***" ,"x":1}`,
		`{"Password":["hunter2",{"a":"hunter2"}]}`:                                                       `{"Password":"***"}`,
		`{"password":null}`:                                                                              `{"password":"***"}`,
		`{"p\u0061ssword":"hunter2"}`:                                                                    `{"p\u0061ssword":"***"}`,
		`{"urn:ietf:params:scim:schemas:core:2.0:User:password":"hunter2"}`:                              `{"urn:ietf:params:scim:schemas:core:2.0:User:password":"***"}`,
		`{"Operations":[{"op":"replace","path":"password","value":"hunter2"}]}`:                          `{"Operations":[{"op":"replace","path":"password","value":"***"}]}`,
		`{"Operations":[{"value":"hunter2","op":"add","path":"passWord"},{"value":"b","path":"title"}]}`: `{"Operations":[{"value":"***","op":"add","path":"passWord"},{"value":"b","path":"title"}]}`,
		`{"Operations":[{"op":"replace","value":{"password":"hunter2"}}]}`:                               `{"Operations":[{"op":"replace","value":{"password":"***"}}]}`,
		`{"password":"hunter2`:                                                                           `{"password":"***"…`,
		`{"a":1,"password":{"b":"hunter2","c`:                                                            `{"a":1,"password":"***"…`,
		`{"title":"my password"} "hunter2"`:                                                              `{"title":"my password"}…`,
		`{"note":"use rcs_AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`:                                                `{"note":"use ***"}`,
		`not json, password hunter2`:                                                                     `…`,
		strings.Repeat(`{"password":[`, 200) + `"hunter2"`:                                               "",
	} {
		got, _ := m.body([]byte(body))
		if strings.Contains(got, "hunter2") || want != "" && got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", body, got, want)
		}
	}
	for query, want := range map[string]string{
		"filter=userName+eq+%22a%22&count=1":       "filter=userName+eq+%22a%22&count=1",
		"filter=password+eq+%22hunter2%22&count=1": "filter=***&count=1",
		"access_token=hunter2&b=1":                 "access_token=***&b=1",
		"Token=hunter2":                            "Token=***",
		"a=rcs_hunter2hunter2":                     "a=***",
		"":                                         "",
	} {
		if got := m.query(query); got != want {
			t.Errorf("%s became %s, want %s", query, got, want)
		}
	}
}

// FuzzMask holds every body to this: no panic, and what follows a key "password" is gone.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{`{"password":"hunter2"}`, `{"Operations":[{"path":"password","value":"hunter2"}]}`, `{"a":[1,{"secret":{}}]}`, `{"password`, "\x00"} {
		f.Add(seed)
	}
	m := newMask([]*kind{userKind(), groupKind()})
	f.Fuzz(func(t *testing.T, body string) {
		if _, hidden := m.body([]byte(body)); strings.Contains(body, "hunter2") && len(hidden) == 0 {
			return // it stood nowhere that is secret
		}
		quoted, err := json.Marshal(body)
		if err != nil {
			t.Skip()
		}
		out, _ := m.body([]byte(`{"before":` + string(quoted) + `,"password":"canary-7531","after":1}`))
		if strings.Contains(out, "canary-7531") {
			t.Errorf("%q shows the secret: %s", body, out)
		}
	})
}
