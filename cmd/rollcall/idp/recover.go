package idp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// stored is a user as Rollcall answers it.
type stored struct {
	ID          string `json:"id"`
	ExternalID  string `json:"externalId"`
	UserName    string `json:"userName"`
	DisplayName string `json:"displayName"`
	Title       string `json:"title"`
	UserType    string `json:"userType"`
	Locale      string `json:"locale"`
	TimeZone    string `json:"timezone"`
	Active      bool   `json:"active"`
	Name        struct {
		GivenName  string `json:"givenName"`
		FamilyName string `json:"familyName"`
	} `json:"name"`
	Emails []struct {
		Value string `json:"value"`
	} `json:"emails"`
	Enterprise struct {
		EmployeeNumber string `json:"employeeNumber"`
		Department     string `json:"department"`
		Division       string `json:"division"`
		Organization   string `json:"organization"`
		CostCenter     string `json:"costCenter"`
		Manager        struct {
			Value string `json:"value"`
		} `json:"manager"`
	} `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}

// Recover takes the company over from Rollcall, as this source told it before: for a demo that is started again over the
// same database. Nobody is forgotten; people whom Rollcall does not know stay as they were given.
func (p *Provider) Recover(ctx context.Context) error {
	var users []stored
	for start := 1; ; {
		e, err := p.scim.steady(ctx, http.MethodGet, fmt.Sprintf("/Users?startIndex=%d&count=200", start), nil)
		if err != nil {
			return fmt.Errorf("recover the company: %w", err)
		}
		var list struct {
			TotalResults int      `json:"totalResults"`
			Resources    []stored `json:"Resources"`
		}
		if err := json.Unmarshal([]byte(e.Answer), &list); err != nil || !e.OK() {
			return fmt.Errorf("recover the company: the server answered %d", e.Status)
		}
		users = append(users, list.Resources...)
		if start += len(list.Resources); len(list.Resources) == 0 || start > list.TotalResults {
			break
		}
	}
	subs := make(map[string]string, len(users)) // by SCIM id
	for _, u := range users {
		subs[u.ID] = u.ExternalID
	}
	for _, u := range users {
		if u.ExternalID == "" {
			continue
		}
		p.remember(u.ExternalID, u.ID)
		q, _ := p.person(u.ExternalID)
		email := q.Email
		if len(u.Emails) > 0 {
			email = u.Emails[0].Value
		}
		p.put(Person{Sub: u.ExternalID, UserName: u.UserName, Email: email, DisplayName: u.DisplayName, GivenName: u.Name.GivenName, FamilyName: u.Name.FamilyName, Title: u.Title,
			Department: u.Enterprise.Department, Division: u.Enterprise.Division, Organization: u.Enterprise.Organization, CostCenter: u.Enterprise.CostCenter,
			EmployeeNumber: u.Enterprise.EmployeeNumber, EmployeeType: u.UserType, Locale: u.Locale, TimeZone: u.TimeZone, Manager: subs[u.Enterprise.Manager.Value],
			Groups: slices.Clone(q.Groups), Left: !u.Active})
	}
	return nil
}
