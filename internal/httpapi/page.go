package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Paging is what every list takes; a list's input embeds it.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"how many items at most"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"\"next\" of the page before"`
}

// Page is what every list answers: items, the cursor of the next page, and the same as an RFC 8288 link.
type Page[T any] struct {
	Link string `header:"Link"`
	Body PageBody[T]
}

// PageBody is the body of a Page.
type PageBody[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
}

// NewPage makes the answer of a list; next is a cursor, or empty on the last page.
func NewPage[T any](ctx context.Context, items []T, next string) *Page[T] {
	if items == nil {
		items = []T{}
	}
	return &Page[T]{Link: NextLink(ctx, next), Body: PageBody[T]{Items: items, Next: next}}
}

// NextLink answers the Link header (RFC 8288) to the page after the one of ctx; empty without a cursor.
func NextLink(ctx context.Context, next string) string {
	at, _ := ctx.Value(urlKey).(*url.URL)
	if next == "" || at == nil {
		return ""
	}
	query := at.Query()
	query.Set("cursor", next)
	return "<" + (&url.URL{Path: at.Path, RawQuery: query.Encode()}).String() + `>; rel="next"`
}

// Cursor makes an opaque cursor of the place v, which callers send back and DecodeCursor reads. It is no secret
// and proves nothing: a handler applies the same checks to whatever it names.
func Cursor(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// DecodeCursor reads a cursor into v, a pointer, and tells whether there was one. One that Cursor did not make
// of the same type is a Problem, invalid_cursor.
func DecodeCursor(cursor string, v any) (bool, error) {
	if cursor == "" {
		return false, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.DisallowUnknownFields()
		if err = d.Decode(v); err == nil && d.More() {
			err = strconv.ErrSyntax
		}
	}
	if err != nil {
		return false, NewProblem(http.StatusBadRequest, "invalid_cursor", "cursor: send back what \"next\" said")
	}
	return true, nil
}

// ETag is the strong entity tag of a version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch reads an If-Match header into the versions it accepts; nil means any (no header, or "*"). Tags that
// are no version of ours, weak ones among them, match nothing (RFC 9110 section 13.1.1): then the list is
// not nil but empty.
func IfMatch(header string) []int64 {
	header = strings.TrimSpace(header)
	if header == "" || header == "*" {
		return nil
	}
	versions := []int64{}
	for _, tag := range strings.Split(header, ",") {
		tag = strings.TrimSpace(tag)
		if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			continue
		}
		if version, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64); err == nil {
			versions = append(versions, version)
		}
	}
	return versions
}
