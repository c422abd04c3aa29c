package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Whoever reads a document in another way than the one that checks it must not see another document: a name that stands twice, at any depth
// and in any spelling, and a letter that is written in another way, are refused, before the signature is looked at.
func TestVerifyTakesTheOneFormOnly(t *testing.T) {
	d := dbtest.SQLite(t)
	ctx := migrated(t, d)
	s := &Store{DB: d, Keys: &Keys{DB: d, Seal: sealing(t)}}
	if err := s.Keys.Rotate(ctx, "system"); err != nil {
		t.Fatal(err)
	}
	_, signed, err := s.Sign(ctx, "per_a", KindLeaver, "per_b", map[string]any{"name": "王 <&> \ufffd", "deep": []any{map[string]any{"ended": false}}, "\U0001f600": 1, "\ufb33": 2}, []int64{0}, "json")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Keys.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(list[0].Public)
	if err != nil {
		t.Fatal(err)
	}
	var short bytes.Buffer
	if err := json.Compact(&short, signed); err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]string{"as given": string(signed), "without blanks": short.String(), "with others": strings.ReplaceAll(string(signed), "\n", "\r\n\t")} {
		if _, err := Verify([]byte(good), key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, forge := range map[string][2]string{
		"a record before the real one":      {`{"audit":`, `{"record":{"name":"forged"},"audit":`},
		"a record right before it":          {`"record":{`, `"record":{"name":"forged"},"record":{`},
		"a record in other letters":         {`"record":{`, `"\u0072ecord":{"name":"forged"},"record":{`},
		"the real one in other letters":     {`"record":{`, `"record":{"name":"forged"},"\u0072ecord":{`},
		"a name in the record":              {`"name":`, `"name":"forged","name":`},
		"a name deep in the record":         {`{"ended":false}`, `{"ended":true,"ended":false}`},
		"a name deep, in other letters":     {`{"ended":false}`, `{"\u0065nded":true,"ended":false}`},
		"the same value twice":              {`{"ended":false}`, `{"ended":false,"ended":false}`},
		"the signature":                     {`"signature":{`, `"signature":{"value":"AAAA"},"signature":{`},
		"the key in the signature":          {`"public":`, `"public":"AAAA","public":`},
		"the audit log":                     {`{"audit":{`, `{"audit":{"size":1},"audit":{`},
		"a letter in another spelling":      {`王`, `\u738b`},
		"a slash that needs no escape":      {`<&>`, `\u003c&>`},
		"half a letter for the unknown one": {"\ufffd", `\ud800`},
		"no letter for the unknown one":     {"\ufffd", "\xff"},
		"another order":                     {`{"audit":`, `{"format":"rollcall-evidence/1","audit":`},
	} {
		forged := strings.Replace(short.String(), forge[0], forge[1], 1)
		if forged == short.String() {
			t.Errorf("%s: nothing was forged", name)
		}
		if v, err := Verify([]byte(forged), key); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for _, give := range []string{"=1", "\ufeff=1", " \ufeff\u3000=1", "\ufeff\ufeff＝1"} {
		if got := Cells(give)[0]; got != "'"+give {
			t.Errorf("%q: %q", give, got)
		}
	}
	if got := Cells("王 = 1")[0]; got != "王 = 1" {
		t.Errorf("%q", got)
	}
}
