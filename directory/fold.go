package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold makes two spellings that differ only in case or in Unicode composition equal (RFC 7643 section 2.2: caseExact false).
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
}

// Fold is how folded columns are kept: two texts that compare as equal fold to the same.
func Fold(s string) string { return fold(s) }

// maxHead bounds what an index holds of a text: PostgreSQL refuses entries of more than a third of a page.
const maxHead = 768

// head answers the beginning of a folded text, by which it is compared and sorted.
func head(s string) string {
	if len(s) <= maxHead {
		return s
	}
	return strings.ToValidUTF8(s[:maxHead], "")
}

// searchText is what People looks for words in.
func searchText(p Person) string {
	return fold(strings.Join([]string{p.DisplayName, p.GivenName, p.FamilyName, p.FamilyName + p.GivenName, p.UserName, p.Email, p.Title,
		p.Department, p.EmployeeNumber}, "\n"))
}

// storable refuses text that an engine cannot hold.
func storable(field, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%w: %s is not clean UTF-8 text", ErrInvalid, field)
	}
	return nil
}

// content is what a record asserts, in the order it is hashed.
type content struct {
	ExternalID, UserName         string
	Active                       bool
	Attributes                   Attributes
	UnitKey, ManagerKey          string
	Start, End, LeaveOn, LeaveTo int64
	Raw                          json.RawMessage
	Planned                      []Planned `json:",omitempty"`
	Disclose                     int64     `json:",omitempty"`
	Claims                       string    `json:",omitempty"`
}

// contentHash tells two contents apart; it does not see who wrote or when.
func contentHash(rec Record) (string, error) {
	c := content{ExternalID: rec.ExternalID, UserName: rec.UserName, Active: rec.Active, Attributes: rec.Attributes, UnitKey: rec.UnitKey,
		ManagerKey: rec.ManagerKey, Start: micros(rec.StartAt), End: micros(rec.EndAt), LeaveOn: micros(rec.LeaveFrom), LeaveTo: micros(rec.LeaveUntil), Raw: rec.Raw, Planned: rec.Planned, Disclose: micros(rec.DiscloseAt), Claims: rec.Claims}
	text, err := json.Marshal(c) // compacts Raw, sorts maps
	if err != nil {
		return "", fmt.Errorf("%w: raw form is not JSON", ErrInvalid)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// clean makes a record of the outside fit to be stored: whole microseconds, no empty collections, or ErrInvalid.
func clean(rec *Record) error {
	for _, f := range [...]struct{ name, text string }{{"key", rec.Key}, {"externalId", rec.ExternalID}, {"userName", rec.UserName}, {"claims", rec.Claims}, {"displayName", rec.DisplayName},
		{"givenName", rec.GivenName}, {"familyName", rec.FamilyName}, {"title", rec.Title}, {"department", rec.Department}, {"division", rec.Division},
		{"organization", rec.Organization}, {"company", rec.Company}, {"employeeNumber", rec.EmployeeNumber}, {"employeeType", rec.EmployeeType},
		{"costCenter", rec.CostCenter}, {"locale", rec.Locale}, {"timezone", rec.TimeZone}, {"unit", rec.UnitKey}, {"manager", rec.ManagerKey}, {"raw", string(rec.Raw)}} {
		if err := storable(f.name, f.text); err != nil {
			return err
		}
	}
	for _, e := range rec.Emails {
		if err := storable("emails", e.Value+e.Type+e.Display); err != nil {
			return err
		}
	}
	for _, p := range rec.Phones {
		if err := storable("phoneNumbers", p.Value+p.Type); err != nil {
			return err
		}
	}
	for k, v := range rec.Labels {
		if err := storable("labels", k+v); err != nil {
			return err
		}
	}
	if len(rec.Raw) > 0 && !json.Valid(rec.Raw) {
		return fmt.Errorf("%w: raw form is not JSON", ErrInvalid)
	}
	if !rec.StartAt.IsZero() && !rec.EndAt.IsZero() && rec.EndAt.Before(rec.StartAt) {
		return fmt.Errorf("%w: the end lies before the start", ErrInvalid)
	}
	if len(rec.Emails) == 0 {
		rec.Emails = nil
	}
	if len(rec.Phones) == 0 {
		rec.Phones = nil
	}
	if len(rec.Labels) == 0 {
		rec.Labels = nil
	}
	var err error
	rec.Planned, err = cleanPlanned(rec.Planned)
	return err
}
