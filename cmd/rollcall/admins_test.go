package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
)

// boss is who may everything, as the token of the configuration does.
func boss() httpapi.Caller {
	return httpapi.Caller{Token: session.BootstrapToken, Grants: roles.Everything(), Stepped: true}
}

// leads makes whoever is a lead own the group lab.
func (b *bench) leads() {
	b.tb.Helper()
	const rule = "      - {key: rnd, role: participant"
	files := []provisioning.File{{Name: "p.yaml", Source: strings.Replace(benchPolicy, rule, "      - {key: lead, role: owner, when: person.title == \"Lead\"}\n"+rule, 1)}}
	for try := 0; ; try++ {
		_, err := b.app.access.SetPolicy(b.tb.Context(), directory.Cause{Actor: "system"}, files)
		if err == nil {
			return
		}
		if try == 20 {
			b.tb.Fatal(err)
		}
	}
}

// hireIn makes a person of a unit with a title.
func (b *bench) hireIn(n int, unit, title string) string {
	b.tb.Helper()
	path := strings.Split(unit+"/", "/")
	return b.call("POST", "/scim/v2/Users", b.scim, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"u%d","externalId":"E%d","active":true,"displayName":"Person %d","title":%q,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"organization":%q,"department":%q}}`, n, n, n, title, path[0], path[1]))["id"].(string)
}

// unit answers the unit of a name.
func (b *bench) unit(name string) id.Unit {
	b.tb.Helper()
	for _, item := range b.call("GET", "/api/v1/units", b.app.cfg.BootstrapToken, "")["items"].([]any) {
		if item := item.(map[string]any); item["name"] == name {
			return id.Unit(item["id"].(string))
		}
	}
	b.tb.Fatalf("there is no unit %s", name)
	return ""
}

// admin gives a person a role and answers a token that carries it.
func (b *bench) admin(person string, grant roles.Grant, dangerous bool) string {
	b.tb.Helper()
	if err := b.app.door.GrantAdmin(b.tb.Context(), boss(), id.Person(person), grant); err != nil {
		b.tb.Fatal(err)
	}
	secret, _, err := b.app.door.CreateToken(b.tb.Context(), boss(), session.NewToken{Person: id.Person(person), Name: "test", Role: grant.Role, Unit: grant.Unit, Dangerous: dangerous})
	if err != nil {
		b.tb.Fatal(err)
	}
	return secret
}

// owner waits until a person owns a project group.
func (b *bench) owner(person string) {
	b.tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		owned, err := b.app.access.OwnedGroups(b.tb.Context(), id.Person(person))
		if err != nil || time.Now().After(deadline) {
			b.tb.Fatalf("%s owns nothing: %v", person, err)
		}
		if len(owned) > 0 {
			return
		}
	}
}
