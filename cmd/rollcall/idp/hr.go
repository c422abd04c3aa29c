package idp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	perPage  = 50
	remember = 50 // exchanges that the page can show
)

// note keeps an exchange for the page and answers its number.
func (p *Provider) note(e Exchange) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.numbered++
	e.Number = p.numbered
	p.exchanges = append(p.exchanges, e)
	if len(p.exchanges) > remember {
		p.exchanges = slices.Delete(p.exchanges, 0, len(p.exchanges)-remember)
	}
	return e.Number
}

// Exchanges answers the last requests that HR sent, the newest first.
func (p *Provider) Exchanges() []Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := slices.Clone(p.exchanges)
	slices.Reverse(out)
	return out
}

// hr shows the company.
func (p *Provider) hr(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	company := p.Company()
	all, _ := find(company, q.Get("q"), q.Get("state"), len(company))
	page, _ := strconv.Atoi(q.Get("page"))
	last := max(0, (len(all)-1)/perPage)
	page = min(max(page, 0), last)
	p.render(w, r, http.StatusOK, "hr", map[string]any{"Query": q.Get("q"), "State": q.Get("state"), "People": all[page*perPage : min(len(all), (page+1)*perPage)], "Found": len(all),
		"Page": page, "Last": last, "Company": company, "Departments": values(company, func(x Person) string { return x.Department }),
		"Titles": values(company, func(x Person) string { return x.Title }), "Shown": p.exchange(q.Get("done")), "Exchanges": p.Exchanges()})
}

func (p *Provider) exchange(number string) *Exchange {
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	for _, e := range p.Exchanges() {
		if e.Number == n {
			return &e
		}
	}
	return nil
}

// hrPerson shows one person and what can be done.
func (p *Provider) hrPerson(w http.ResponseWriter, r *http.Request) {
	person, ok := p.person(r.PathValue("sub"))
	if !ok {
		p.fail(w, r, http.StatusNotFound, "There is no such person here.", "此处没有这个人。")
		return
	}
	company := p.Company()
	manager, _ := p.person(person.Manager)
	p.render(w, r, http.StatusOK, "person", map[string]any{"Person": person, "Manager": manager, "Company": company, "Shown": p.exchange(r.URL.Query().Get("done")),
		"Departments": values(company, func(x Person) string { return x.Department }), "Titles": values(company, func(x Person) string { return x.Title })})
}

func (p *Provider) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, http.StatusBadRequest, "The form cannot be read.", "无法读取表单。")
		return false
	}
	for _, value := range r.PostForm {
		for i := range value {
			value[i] = strings.TrimSpace(value[i])
			if len(value[i]) > 200 || strings.ContainsRune(value[i], 0) {
				p.fail(w, r, http.StatusBadRequest, "A field is too long.", "某个字段过长。")
				return false
			}
		}
	}
	return true
}

// managerOf finds a manager in a form's text: a Sub, or "name · Sub" as the form suggests it. Empty is no manager.
func (p *Provider) managerOf(text string) (string, bool) {
	if i := strings.LastIndex(text, "·"); i >= 0 {
		text = strings.TrimSpace(text[i+len("·"):])
	}
	if text == "" {
		return "", true
	}
	q, ok := p.person(text)
	return q.Sub, ok
}

// hire sends a new person: POST /Users.
func (p *Provider) hire(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	f := r.PostForm
	manager, ok := p.managerOf(f.Get("manager"))
	q := Person{DisplayName: f.Get("display_name"), GivenName: f.Get("given_name"), FamilyName: f.Get("family_name"), UserName: f.Get("user_name"), Email: f.Get("email"),
		Title: f.Get("title"), Department: f.Get("department"), EmployeeType: "employee", Manager: manager}
	if !ok || q.DisplayName == "" || q.UserName == "" {
		p.fail(w, r, http.StatusBadRequest, "A new person needs a name and a user name, and a manager who exists.", "新员工需要姓名和用户名；经理必须存在。")
		return
	}
	q.Sub = p.newSub()
	q.EmployeeNumber = q.Sub
	p.likeColleagues(&q)
	e := p.do(r.Context(), "hire", q.Sub, func(ctx context.Context) (Exchange, error) {
		return p.scim.send(ctx, http.MethodPost, "/Users", user(q, p.id(ctx, manager)))
	})
	if e.OK() {
		p.remember(q.Sub, e.resourceID)
		p.put(q)
	}
	http.Redirect(w, r, "/hr?done="+strconv.Itoa(e.Number), http.StatusSeeOther)
}

// newSub answers an employee number nobody ever had.
func (p *Provider) newSub() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.company) + 1; ; n++ {
		sub := fmt.Sprintf("N%05d", n)
		if !slices.ContainsFunc(p.company, func(q Person) bool { return q.Sub == sub }) {
			return sub
		}
	}
}

// likeColleagues fills in what a form does not ask for from somebody in the same department.
func (p *Provider) likeColleagues(q *Person) {
	company := p.Company()
	i := slices.IndexFunc(company, func(c Person) bool { return c.Department == q.Department })
	if i < 0 && len(company) > 0 {
		i = 0
	}
	if i < 0 {
		return
	}
	c := company[i]
	q.Organization, q.Locale, q.TimeZone, q.EmployeeType = c.Organization, c.Locale, c.TimeZone, c.EmployeeType
	if c.Department == q.Department {
		q.Division, q.CostCenter = c.Division, c.CostCenter
	}
}

// change does what the person's page asks for.
func (p *Provider) change(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	person, ok := p.person(r.PathValue("sub"))
	if !ok {
		p.fail(w, r, http.StatusNotFound, "There is no such person here.", "此处没有这个人。")
		return
	}
	var e Exchange
	switch what := r.PathValue("what"); what {
	case "move":
		to := person
		to.Department, to.Title = r.PostForm.Get("department"), r.PostForm.Get("title")
		var known bool
		if to.Manager, known = p.managerOf(r.PostForm.Get("manager")); !known {
			p.fail(w, r, http.StatusBadRequest, "There is no such manager.", "没有这位经理。")
			return
		}
		e = p.move(r.Context(), person, to)
	case "leave":
		e = p.leave(r.Context(), person)
	case "rehire":
		e = p.rehire(r.Context(), person, r.PostForm.Get("how") == "patch")
	default:
		p.fail(w, r, http.StatusNotFound, "There is no such thing to do.", "没有这个操作。")
		return
	}
	http.Redirect(w, r, "/hr/people/"+url.PathEscape(person.Sub)+"?done="+strconv.Itoa(e.Number), http.StatusSeeOther)
}

// do sends a request and keeps what was said.
func (p *Provider) do(ctx context.Context, what, who string, send func(context.Context) (Exchange, error)) Exchange {
	e, err := send(context.WithoutCancel(ctx)) // a closed browser tab takes nothing back
	e.What, e.Who = what, who
	if err != nil {
		e.Error = err.Error()
		p.Log.Warn("hr: no answer", "what", what, "error", err)
	}
	e.Number = p.note(e)
	return e
}

// id answers the SCIM id of a person: as the answer to hiring said it, else by externalId. Empty where there is none.
func (p *Provider) id(ctx context.Context, sub string) string {
	if sub == "" {
		return ""
	}
	p.mu.Lock()
	known := p.ids[sub]
	p.mu.Unlock()
	if known != "" {
		return known
	}
	found, err := p.scim.lookup(ctx, "Users", "externalId", sub)
	if err != nil {
		p.Log.Warn("hr: cannot look up a person", "sub", sub, "error", err)
	}
	p.remember(sub, found)
	return found
}

func (p *Provider) remember(sub, resourceID string) {
	if resourceID == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[sub] = resourceID
}

func (p *Provider) patch(ctx context.Context, what, sub string, operations ...operation) Exchange {
	return p.do(ctx, what, sub, func(ctx context.Context) (Exchange, error) {
		resource := p.id(ctx, sub)
		if resource == "" {
			return Exchange{Method: http.MethodPatch, Path: "/scim/v2/Users/?"}, fmt.Errorf("rollcall has no user with externalId %s", sub)
		}
		return p.scim.send(ctx, http.MethodPatch, "/Users/"+url.PathEscape(resource), patch(operations...))
	})
}

// move sends what differs: department with its division and cost centre, title, manager.
func (p *Provider) move(ctx context.Context, from, to Person) Exchange {
	if from.Department != to.Department {
		place := to
		p.likeColleagues(&place)
		to.Division, to.CostCenter = place.Division, place.CostCenter
	}
	var operations []operation
	set := func(path, before, after string) {
		switch {
		case before == after:
		case after == "":
			operations = append(operations, operation{Op: "remove", Path: path})
		default:
			operations = append(operations, operation{Op: "replace", Path: path, Value: after})
		}
	}
	set(enterpriseSchema+":department", from.Department, to.Department)
	set(enterpriseSchema+":division", from.Division, to.Division)
	set(enterpriseSchema+":costCenter", from.CostCenter, to.CostCenter)
	set("title", from.Title, to.Title)
	if from.Manager != to.Manager {
		if manager := p.id(ctx, to.Manager); manager != "" {
			operations = append(operations, operation{Op: "replace", Path: enterpriseSchema + ":manager", Value: map[string]string{"value": manager}})
		} else {
			operations = append(operations, operation{Op: "remove", Path: enterpriseSchema + ":manager"})
			to.Manager = ""
		}
	}
	if len(operations) == 0 { // the same again is a request too: Rollcall answers it without a change
		operations = append(operations, operation{Op: "replace", Path: "title", Value: to.Title})
	}
	e := p.patch(ctx, "move", from.Sub, operations...)
	if e.OK() {
		p.put(to)
	}
	return e
}

// leave sends active=false.
func (p *Provider) leave(ctx context.Context, q Person) Exchange {
	e := p.patch(ctx, "leave", q.Sub, operation{Op: "replace", Path: "active", Value: false})
	if e.OK() {
		q.Left = true
		p.put(q)
	}
	return e
}

// rehire sends the person again under the same externalId, as Okta does, or active=true, as Entra does.
func (p *Provider) rehire(ctx context.Context, q Person, byPatch bool) Exchange {
	q.Left = false
	var e Exchange
	if byPatch {
		e = p.patch(ctx, "rehire", q.Sub, operation{Op: "replace", Path: "active", Value: true})
	} else {
		e = p.do(ctx, "rehire", q.Sub, func(ctx context.Context) (Exchange, error) {
			return p.scim.send(ctx, http.MethodPost, "/Users", user(q, p.id(ctx, q.Manager)))
		})
	}
	if e.OK() {
		p.remember(q.Sub, e.resourceID)
		p.put(q)
	}
	return e
}
