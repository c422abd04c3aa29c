package ldap_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// What a spool holds comes back as it went in, in whatever order it is asked for, and also an entry longer than a block.
func TestSpool(t *testing.T) {
	people := make([]ldap.Object, 3000)
	for i := range people {
		people[i] = ldap.Object{Class: ldap.ClassPerson, Key: fmt.Sprint(i), DN: fmt.Sprintf("uid=u%d,dc=corp", i),
			Attrs: map[string][]string{"uid": {fmt.Sprint("u", i)}, "cn": {"王伟", "Wei"}, "title": {}, fmt.Sprint("x", i%7): {"1"}}}
	}
	people[1500].Attrs["photo"] = []string{strings.Repeat("long", 100_000)}
	order := rand.Perm(len(people))
	for i, got := range ldap.Spooled(people, order) {
		if !reflect.DeepEqual(got, people[i]) {
			t.Fatalf("%d came back as %v", i, got)
		}
	}
}
