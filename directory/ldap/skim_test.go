package ldap

import (
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// shownEntry makes the operation of a search result; attrs are a name and its values each.
func shownEntry(dn string, attrs ...[]string) []byte {
	list := group(ber.TagSequence, ber.ClassUniversal)
	for _, a := range attrs {
		set := group(ber.TagSet, ber.ClassUniversal)
		for _, v := range a[1:] {
			set.AppendChild(text(v))
		}
		list.AppendChild(group(ber.TagSequence, ber.ClassUniversal, text(a[0]), set))
	}
	return append(text(dn).Bytes(), list.Bytes()...)
}

const shownUUID = "10BAFF8A-5bca-103f-8f3d-e1d9ccadd1f7"

func TestGlance(t *testing.T) {
	digestOf := func(op []byte) digest {
		t.Helper()
		g := &glance{}
		d, ok := g.read(op, "entryuuid", names{})
		if !ok {
			t.Fatal("not seen at a glance")
		}
		return d
	}
	id := []string{"entryUUID", shownUUID}
	is := digestOf(shownEntry("uid=a", id, []string{"mail", "a@x", "b@x"}, []string{"title", "Boss"}))
	if digestOf(shownEntry("uid=a", []string{"TITLE", "Boss"}, []string{"mail", "b@x", "a@x"}, []string{"sn"}, id)) != is {
		t.Error("the order counts")
	}
	for name, op := range map[string][]byte{
		"value":  shownEntry("uid=a", id, []string{"mail", "a@x", "b@x"}, []string{"title", "boss"}),
		"fewer":  shownEntry("uid=a", id, []string{"mail", "a@x", "b@x"}),
		"more":   shownEntry("uid=a", id, []string{"mail", "a@x", "b@x"}, []string{"title", "Boss", ""}),
		"option": shownEntry("uid=a", id, []string{"mail", "a@x", "b@x"}, []string{"title;lang-de", "Boss"}),
		"border": shownEntry("uid=a", id, []string{"mail", "a@xb", "@x"}, []string{"title", "Boss"}),
	} {
		if digestOf(op) == is {
			t.Errorf("%s makes no difference", name)
		}
	}
	for name, op := range map[string][]byte{
		"without an id":    shownEntry("uid=a", []string{"title", "Boss"}),
		"with two ids":     shownEntry("uid=a", []string{"entryUUID", "a", "b"}),
		"in ranges":        shownEntry("uid=a", id, []string{"mail;range=0-1", "a@x"}),
		"told in pieces":   shownEntry("uid=a", id, []string{"mail", "a@x"}, []string{"MAIL", "b@x"}),
		"with an empty id": shownEntry("uid=a", []string{"entryUUID", ""}),
	} {
		if _, ok := (&glance{}).read(op, "entryuuid", names{}); ok {
			t.Errorf("an entry %s is not taken apart", name)
		}
	}
}

// FuzzGlance holds that a glance never sees anything else than who takes the entry apart.
func FuzzGlance(f *testing.F) {
	f.Add(shownEntry("uid=a,dc=x", []string{"entryUUID", shownUUID}, []string{"objectClass", "top", "inetOrgPerson"}, []string{"cn;lang-en", "A"}))
	f.Add(shownEntry("uid=b", []string{"entryUUID", "Ä"}, []string{"mail", "b", "", "a"}, []string{"title"}))
	f.Add(shownEntry("", []string{"entryUUID", "x"}, []string{"mail", "a"}, []string{"Mail", "b"}))
	g := &glance{}
	f.Fuzz(func(t *testing.T, op []byte) {
		hash, ok := g.read(op, "entryuuid", names{})
		if !ok {
			return
		}
		e, err := parseEntry(op, names{})
		if err != nil {
			t.Fatal(err)
		}
		if k := key(e, "entryuuid"); k != string(g.key) || e.dn != string(g.dn) {
			t.Fatalf("%q %q, %q %q", k, g.key, e.dn, g.dn)
		}
		if (&digester{}).entry(Object{Class: ClassPerson, Attrs: e.attrs}) != hash {
			t.Fatal("another digest")
		}
	})
}
