package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// pusher is one client. It alone writes its people and its group, so it knows what must be there.
type pusher struct {
	c     *crash
	n     int
	users []*pushed
	group string
	in    map[string]bool // external ids of the group's members

	doubt  func() // makes the call again whose answer never came; nil: none
	making string // whom that call creates
	mu     sync.Mutex
	tried  []state // what it may have made, besides what was acknowledged
}

// pushed is one person as acknowledged.
type pushed struct {
	name, link string
	token      string // lets them in
	state
}

type state struct {
	user    *pushed
	title   string
	active  bool
	gone    bool
	version int
	in      map[string]bool // of the group; nil: the call does not touch it
}

func newPusher(c *crash, n int) *pusher {
	p := &pusher{c: c, n: n, in: map[string]bool{}}
	p.group = c.must("POST", "/scim/v2/Groups", c.secret, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g%d"}`, n))["id"].(string)
	return p
}

// push makes calls until the server is gone.
func (p *pusher) push() {
	for !p.c.t.Failed() {
		if !p.step() {
			return
		}
		p.c.answers.Add(1)
	}
}

// step makes one call; false where no answer came.
func (p *pusher) step() bool {
	var living []*pushed
	for _, u := range p.users {
		if !u.gone {
			living = append(living, u)
		}
	}
	if len(living) < 3 {
		return p.create()
	}
	u := living[rand.IntN(len(living))]
	next := u.state
	next.user = u
	switch rand.IntN(9) {
	case 0, 1:
		return p.create()
	case 2:
		next.gone, next.in = true, without(p.in, "E-"+u.name)
		return p.change(next, "DELETE", "/Users/"+u.link, "")
	case 3, 4:
		next.active = !next.active
		next.version++
		return p.change(next, "PATCH", "/Users/"+u.link, fmt.Sprintf(`{"op":"Replace","path":"active","value":"%v"}`, next.active))
	case 5:
		next.title = fmt.Sprint("t", rand.IntN(1000000))
		next.version++
		return p.change(next, "PATCH", "/Users/"+u.link, `{"op":"replace","value":{"title":"`+next.title+`"}}`)
	case 6:
		next.in = without(p.in, "E-"+u.name)
		return p.change(next, "PATCH", "/Groups/"+p.group, `{"op":"remove","path":"members","value":[{"value":"`+u.link+`"}]}`)
	case 7: // somebody who is not there yet
		name := p.name(len(p.users))
		next.in = without(p.in, "")
		next.in["E-"+name] = true
		return p.change(next, "PATCH", "/Groups/"+p.group, `{"op":"add","path":"members","value":[{"value":"E-`+name+`"}]}`)
	}
	next.in = without(p.in, "")
	next.in["E-"+u.name] = true
	return p.change(next, "PATCH", "/Groups/"+p.group, `{"op":"add","path":"members","value":[{"value":"E-`+u.name+`"}]}`)
}

func without(set map[string]bool, name string) map[string]bool {
	out := maps.Clone(set)
	delete(out, name)
	return out
}

func (p *pusher) name(i int) string { return fmt.Sprintf("p%d-%d", p.n, i) }

// create hires somebody.
func (p *pusher) create() bool {
	u := &pushed{name: p.name(len(p.users)), state: state{active: true, version: 1}}
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s","externalId":"E-%s","active":true,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`, u.name, u.name)
	status, out, err := p.c.call("POST", "/scim/v2/Users", p.c.secret, body)
	if err != nil {
		p.doubt, p.making = func() { p.again(u, body) }, u.name
		return false
	}
	if status != http.StatusCreated {
		p.c.t.Errorf("POST %s: %d %v", u.name, status, out)
		return false
	}
	u.link, _ = out["id"].(string)
	p.add(u)
	return true
}

func (p *pusher) add(u *pushed) {
	p.users = append(p.users, u)
	if rand.IntN(2) > 0 {
		return
	}
	_, found, err := p.c.call("GET", "/api/v1/people?q="+u.name, crashToken, "")
	items, _ := found["items"].([]any)
	for _, item := range items {
		if item, _ := item.(map[string]any); err == nil && item["user_name"] == u.name {
			_, made, _ := p.c.call("POST", "/api/v1/people/"+item["id"].(string)+"/tokens", crashToken, `{"name":"crash"}`)
			u.token, _ = made["token"].(string)
		}
	}
}

// again creates a person once more, as a client does whose answer was lost: answered that they are there, it looks them up and
// changes what differs.
func (p *pusher) again(u *pushed, body string) {
	status, out, err := p.c.call("POST", "/scim/v2/Users", p.c.secret, body)
	if err == nil && status == http.StatusConflict {
		_, list, _ := p.c.call("GET", "/scim/v2/Users?filter="+url.QueryEscape(`userName eq "`+u.name+`"`), p.c.secret, "")
		found, _ := list["Resources"].([]any)
		if len(found) != 1 {
			p.c.t.Errorf("%s is there and not found: %v", u.name, list)
			return
		}
		out, _ = found[0].(map[string]any)
		status, out, err = p.c.call("PATCH", "/scim/v2/Users/"+fmt.Sprint(out["id"]), p.c.secret, patchBody(`{"op":"replace","path":"active","value":true}`))
	}
	if err != nil || status >= 300 {
		p.c.t.Errorf("POST %s once more: %d %v, %v", u.name, status, out, err)
		return
	}
	u.link, _ = out["id"].(string)
	p.add(u)
}

func patchBody(operation string) string {
	if operation == "" {
		return ""
	}
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operation + `]}`
}

// change makes a call that leaves what next says.
func (p *pusher) change(next state, method, path, operation string) bool {
	status, out, err := p.c.call(method, "/scim/v2"+path, p.c.secret, patchBody(operation))
	if err != nil {
		p.tried = []state{next}
		p.doubt = func() {
			status, out, err := p.c.call(method, "/scim/v2"+path, p.c.secret, patchBody(operation))
			if err != nil || status >= 300 && !(method == "DELETE" && status == http.StatusNotFound) {
				p.c.t.Errorf("%s %s once more: %d %v, %v", method, path, status, out, err)
			}
			p.take(next)
		}
		return false
	}
	if status >= 300 {
		p.c.t.Errorf("%s %s %s: %d %v", method, path, operation, status, out)
		return false
	}
	p.take(next)
	p.refused(next.user, "an acknowledged call")
	return true
}

func (p *pusher) take(next state) {
	if next.in != nil {
		p.in = next.in
	}
	next.in = nil
	p.mu.Lock()
	next.user.state = next
	p.mu.Unlock()
}

// refused holds that somebody who is offboarded is let in nowhere.
func (p *pusher) refused(u *pushed, after string) {
	p.mu.Lock()
	out := u.token != "" && (u.gone || !u.active)
	p.mu.Unlock()
	if !out {
		return
	}
	status, _, err := p.c.call("GET", "/api/v1/channels/"+p.c.channel+"/messages", u.token, "")
	if err == nil && status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
		p.c.t.Errorf("after %s %s, offboarded, is answered %d", after, u.name, status)
	}
}

// offboardedAreRefused asks for some of them; a call in doubt may bring one back.
func (p *pusher) offboardedAreRefused() {
	for range min(len(p.users), 2) {
		u := p.users[rand.IntN(len(p.users))]
		if len(p.tried) > 0 && p.tried[0].user == u {
			continue
		}
		p.refused(u, "a crash")
	}
}

// check reads everything back, makes the call in doubt again, and reads everything back once more.
func (p *pusher) check(round int) {
	p.c.t.Helper()
	for _, u := range p.users {
		got := p.read(u)
		ok := same(got, u.state)
		for _, t := range p.tried {
			ok = ok || t.user == u && same(got, t)
		}
		if !ok {
			p.c.t.Errorf("kill %d: %s is %+v, acknowledged %+v, tried %+v", round+1, u.name, got, u.state, p.tried)
		}
		p.refused(u, "a restart")
	}
	members := p.members(false)
	ok := maps.Equal(members, p.in)
	for _, t := range p.tried {
		ok = ok || t.in != nil && maps.Equal(members, t.in)
	}
	if !ok {
		p.c.t.Errorf("kill %d: the group has %v, acknowledged %v, tried %+v", round+1, members, p.in, p.tried)
	}
	if p.doubt != nil {
		p.doubt()
	}
	p.doubt, p.making, p.tried = nil, "", nil
	for _, u := range p.users {
		if got := p.read(u); !same(got, u.state) {
			p.c.t.Errorf("kill %d: made again, %s is %+v, want %+v", round+1, u.name, got, u.state)
		}
	}
	if members := p.members(true); !maps.Equal(members, p.in) {
		p.c.t.Errorf("kill %d: made again, the group has %v, want %v", round+1, members, p.in)
	}
}

func same(a, b state) bool {
	return a.gone && b.gone || a.gone == b.gone && a.title == b.title && a.active == b.active && a.version == b.version
}

func (p *pusher) read(u *pushed) state {
	status, out, err := p.c.call("GET", "/scim/v2/Users/"+u.link, p.c.secret, "")
	if err != nil || status != http.StatusOK && status != http.StatusNotFound {
		p.c.t.Errorf("GET %s: %d %v, %v", u.name, status, out, err)
	}
	s := state{gone: status == http.StatusNotFound}
	s.title, _ = out["title"].(string)
	s.active, _ = out["active"].(bool)
	meta, _ := out["meta"].(map[string]any)
	_, _ = fmt.Sscanf(fmt.Sprint(meta["version"]), `W/"%d"`, &s.version)
	return s
}

// members answers the external ids of the group's members. Settled, whoever is there stands there by id.
func (p *pusher) members(settled bool) map[string]bool {
	_, out, _ := p.c.call("GET", "/scim/v2/Groups/"+p.group, p.c.secret, "")
	list, _ := out["members"].([]any)
	in := map[string]bool{}
	for _, e := range list {
		e, _ := e.(map[string]any)
		value := fmt.Sprint(e["value"])
		for _, u := range p.users {
			if settled && !u.gone && value == "E-"+u.name {
				p.c.t.Errorf("%s is in the group by a reference that nobody resolved", u.name)
			}
			if value == u.link {
				value = "E-" + u.name
			}
		}
		if strings.HasPrefix(value, "lnk_") && p.making != "" { // of the one whose creation was not acknowledged
			value = "E-" + p.making
		}
		if in[value] {
			p.c.t.Errorf("%s is in the group twice", value)
		}
		in[value] = true
	}
	return in
}
