package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchSchema      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// Exchange is one SCIM request as it was sent and answered, without its token.
type Exchange struct {
	Number        int
	At            time.Time
	What, Who     string // "hire", "move" …; Sub
	Method, Path  string
	Request       string
	Status        int
	Answer        string
	Took          time.Duration
	Error         string // where there was no answer
	resourceID    string
	alreadyExists bool
}

// OK tells whether Rollcall did what it was asked.
func (e Exchange) OK() bool { return e.Status >= 200 && e.Status < 300 }

// Milliseconds is how long the request took, as people read it.
func (e Exchange) Milliseconds() string {
	return strconv.FormatFloat(float64(e.Took.Microseconds())/1000, 'f', 1, 64)
}

// SCIM is a SCIM 2.0 client of one source.
type SCIM struct {
	URL, Token string
	HTTP       *http.Client // nil: http.DefaultClient
}

// send makes one request. An answer of any status is no error.
func (c *SCIM) send(ctx context.Context, method, path string, body any) (Exchange, error) {
	e := Exchange{At: time.Now(), Method: method, Path: "/scim/v2" + path}
	var payload io.Reader
	if body != nil {
		raw, err := json.MarshalIndent(body, "", "  ")
		if err != nil {
			return e, err
		}
		e.Request, payload = string(raw), bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, payload)
	if err != nil {
		return e, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Accept", "application/scim+json")
	if body != nil {
		request.Header.Set("Content-Type", "application/scim+json")
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return e, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	e.Took, e.Status = time.Since(began), response.StatusCode
	if err != nil {
		return e, err
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, raw, "", "  ") == nil {
		e.Answer = pretty.String()
	} else {
		e.Answer = string(raw)
	}
	var resource struct {
		ID       string `json:"id"`
		SCIMType string `json:"scimType"`
	}
	json.Unmarshal(raw, &resource) // an answer without a resource has no id
	e.resourceID, e.alreadyExists = resource.ID, response.StatusCode == http.StatusConflict
	return e, nil
}

// steady is send that waits where the server asks for it (429 and 503 with Retry-After).
func (c *SCIM) steady(ctx context.Context, method, path string, body any) (Exchange, error) {
	for try := 1; ; try++ {
		e, err := c.send(ctx, method, path, body)
		if err != nil || try == 6 || e.Status != http.StatusTooManyRequests && e.Status != http.StatusServiceUnavailable {
			return e, err
		}
		select {
		case <-ctx.Done():
			return e, ctx.Err()
		case <-time.After(time.Duration(try) * 250 * time.Millisecond):
		}
	}
}

// lookup answers the id of the resource whose attribute is value; empty where there is none.
func (c *SCIM) lookup(ctx context.Context, resources, attribute, value string) (string, error) {
	quoted, err := json.Marshal(value) // SCIM string literals are JSON's (RFC 7644 section 3.4.2.2)
	if err != nil {
		return "", err
	}
	e, err := c.steady(ctx, http.MethodGet, "/"+resources+"?"+url.Values{"filter": {attribute + " eq " + string(quoted)}, "attributes": {"id"}}.Encode(), nil)
	if err != nil {
		return "", err
	}
	if !e.OK() {
		return "", fmt.Errorf("look up %s: the server answered %d", resources, e.Status)
	}
	var list struct {
		Resources []struct {
			ID string `json:"id"`
		}
	}
	if err := json.Unmarshal([]byte(e.Answer), &list); err != nil {
		return "", err
	}
	if len(list.Resources) == 0 {
		return "", nil
	}
	return list.Resources[0].ID, nil
}

// user is p as a SCIM resource; manager is the SCIM id of p's manager, where it is known.
func user(p Person, manager string) map[string]any {
	enterprise := map[string]any{}
	set := func(into map[string]any, name, value string) {
		if value != "" {
			into[name] = value
		}
	}
	set(enterprise, "employeeNumber", p.EmployeeNumber)
	set(enterprise, "department", p.Department)
	set(enterprise, "division", p.Division)
	set(enterprise, "organization", p.Organization)
	set(enterprise, "costCenter", p.CostCenter)
	if manager != "" {
		enterprise["manager"] = map[string]any{"value": manager}
	}
	name := map[string]any{}
	set(name, "formatted", p.DisplayName)
	set(name, "givenName", p.GivenName)
	set(name, "familyName", p.FamilyName)
	resource := map[string]any{"schemas": []string{userSchema, enterpriseSchema}, "externalId": p.Sub, "userName": p.UserName, "active": !p.Left, "name": name, enterpriseSchema: enterprise}
	set(resource, "displayName", p.DisplayName)
	set(resource, "title", p.Title)
	set(resource, "userType", p.EmployeeType)
	set(resource, "locale", p.Locale)
	set(resource, "preferredLanguage", p.Locale)
	set(resource, "timezone", p.TimeZone)
	if p.Email != "" {
		resource["emails"] = []any{map[string]any{"value": p.Email, "type": "work", "primary": true}}
	}
	return resource
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

func patch(operations ...operation) map[string]any {
	return map[string]any{"schemas": []string{patchSchema}, "Operations": operations}
}

// Push sends the whole company: users, managers before those they manage so that a manager's id is known, then groups
// with their members. What is there already stays as it is. progress, where not nil, is called after each
// user and group. It answers the SCIM ids by Sub. It may be repeated.
func (c *SCIM) Push(ctx context.Context, people []Person, progress func(done, total int)) (map[string]string, error) {
	groups := groupsOf(people)
	total, done := len(people)+len(groups), 0
	var mu sync.Mutex
	step := func() {
		mu.Lock()
		defer mu.Unlock()
		if done++; progress != nil {
			progress(done, total)
		}
	}
	ids := make(map[string]string, len(people))
	var late []Person // whose manager had no id yet: people who manage each other in a circle
	for _, level := range levels(people) {
		err := each(ctx, level, func(ctx context.Context, p Person) error {
			mu.Lock()
			manager := ids[p.Manager]
			mu.Unlock()
			found, err := c.create(ctx, "Users", "externalId", p.Sub, user(p, manager))
			if err != nil {
				return fmt.Errorf("push %s: %w", p.Sub, err)
			}
			mu.Lock()
			ids[p.Sub] = found
			if p.Manager != "" && manager == "" {
				late = append(late, p)
			}
			mu.Unlock()
			step()
			return nil
		})
		if err != nil {
			return ids, err
		}
	}
	for _, p := range late {
		if err := c.setManager(ctx, ids[p.Sub], ids[p.Manager]); err != nil {
			return ids, fmt.Errorf("push %s: %w", p.Sub, err)
		}
	}
	for _, g := range groups {
		if err := c.pushGroup(ctx, g, ids); err != nil {
			return ids, fmt.Errorf("push group %s: %w", g.name, err)
		}
		step()
	}
	return ids, nil
}

func (c *SCIM) setManager(ctx context.Context, user, manager string) error {
	if manager == "" {
		return nil // not one of these people
	}
	e, err := c.steady(ctx, http.MethodPatch, "/Users/"+url.PathEscape(user), patch(operation{Op: "replace", Path: enterpriseSchema + ":manager", Value: map[string]string{"value": manager}}))
	if err == nil && !e.OK() {
		err = fmt.Errorf("the server answered %d: %s", e.Status, e.Answer)
	}
	return err
}

// create makes a resource, or answers the id of the one that is there.
func (c *SCIM) create(ctx context.Context, resources, attribute, value string, body map[string]any) (string, error) {
	e, err := c.steady(ctx, http.MethodPost, "/"+resources, body)
	switch {
	case err != nil:
		return "", err
	case e.OK() && e.resourceID != "":
		return e.resourceID, nil
	case e.alreadyExists:
		found, err := c.lookup(ctx, resources, attribute, value)
		if err == nil && found == "" {
			err = fmt.Errorf("the server answered %d and has no such resource: %s", e.Status, e.Answer)
		}
		return found, err
	}
	return "", fmt.Errorf("the server answered %d: %s", e.Status, e.Answer)
}

const membersPerPatch = 100 // what the large identity providers send at once

func (c *SCIM) pushGroup(ctx context.Context, g directoryGroup, ids map[string]string) error {
	found, err := c.create(ctx, "Groups", "displayName", g.name, map[string]any{"schemas": []string{groupSchema}, "displayName": g.name})
	if err != nil {
		return err
	}
	for at := 0; at < len(g.members); at += membersPerPatch {
		var members []map[string]string
		for _, sub := range g.members[at:min(at+membersPerPatch, len(g.members))] {
			members = append(members, map[string]string{"value": ids[sub]})
		}
		e, err := c.steady(ctx, http.MethodPatch, "/Groups/"+url.PathEscape(found), patch(operation{Op: "add", Path: "members", Value: members}))
		if err != nil {
			return err
		}
		if !e.OK() {
			return fmt.Errorf("the server answered %d: %s", e.Status, e.Answer)
		}
	}
	return nil
}
