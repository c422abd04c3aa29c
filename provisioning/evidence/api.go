package evidence

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package.
type API struct{ Store *Store }

// KeyView is one public key.
type KeyView struct {
	ID          id.EvidenceKey `json:"id"`
	Algorithm   string         `json:"algorithm"`
	Public      string         `json:"public" doc:"base64"`
	Fingerprint string         `json:"fingerprint"`
	CreatedAt   time.Time      `json:"created_at"`
	RetiredAt   time.Time      `json:"retired_at,omitzero" doc:"absent: it signs"`
}

// KeysOutput answers every key, the newest first.
type KeysOutput struct {
	Body struct {
		Items []KeyView `json:"items" nullable:"false"`
	}
}

// Keys answers GET /api/v1/evidence/keys: public keys, for anybody who holds a document against them.
func (a *API) Keys(ctx context.Context, _ *struct{}) (*KeysOutput, error) {
	list, err := a.Store.Keys.List(ctx)
	out := &KeysOutput{}
	out.Body.Items = make([]KeyView, len(list))
	for i, k := range list {
		raw, _ := base64.StdEncoding.DecodeString(k.Public)
		out.Body.Items[i] = KeyView{ID: k.ID, Algorithm: "Ed25519", Public: k.Public, Fingerprint: Fingerprint(raw), CreatedAt: k.CreatedAt, RetiredAt: k.RetiredAt}
	}
	return out, err
}

// Rotate answers POST /api/v1/evidence/keys: a new key.
func (a *API) Rotate(ctx context.Context, _ *struct{}) (*KeysOutput, error) {
	if err := a.Store.Keys.Rotate(ctx, httpapi.CallerFrom(ctx).Actor()); err != nil {
		return nil, err
	}
	return a.Keys(ctx, nil)
}

// LeaverInput names a leaver, and how the record is wanted.
type LeaverInput struct {
	ID     id.Person `path:"id"`
	At     time.Time `query:"at" doc:"an instant of the leaving; absent: the last one"`
	Format string    `query:"format" enum:"json,html" default:"json" doc:"html: a page for printing"`
	Lang   Lang      `query:"lang" enum:"en,zh-CN" default:"en" doc:"of the page"`
}

// FileOutput is a document as it is kept.
type FileOutput struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

// File makes the answer of a document: a page is shown, anything else saved under name.
func File(name, format string, text []byte) *FileOutput {
	switch format {
	case "html":
		return &FileOutput{Type: "text/html; charset=utf-8", Disposition: "inline", Policy: PageCSP(), Body: text}
	case "csv":
		return &FileOutput{Type: "text/csv; charset=utf-8", Disposition: `attachment; filename="` + name + `.csv"`, Policy: "default-src 'none'", Body: text}
	}
	return &FileOutput{Type: "application/json", Disposition: `attachment; filename="` + name + `.json"`, Policy: "default-src 'none'", Body: text}
}

// Leaver answers GET /api/v1/people/{id}/evidence: the signed record of a leaver. That it was given stands in the audit log.
func (a *API) Leaver(ctx context.Context, in *LeaverInput) (*FileOutput, error) {
	text, err := a.Store.SignedLeaver(ctx, httpapi.CallerFrom(ctx).Actor(), in.ID, in.At, in.Format == "html", in.Lang)
	if err != nil {
		return nil, err
	}
	return File("leaver-"+string(in.ID), in.Format, text), nil
}

// PeriodInput says of what a report is wanted, and how.
type PeriodInput struct {
	From    time.Time `query:"from" required:"true"`
	To      time.Time `query:"to" required:"true" doc:"exclusive"`
	Kinds   []string  `query:"kind" enum:"joiner,mover,leaver,returned" doc:"several with commas; absent: all"`
	Only    bool      `query:"exceptions" doc:"only rows with an exception"`
	Overdue int       `query:"overdue" minimum:"1" maximum:"86400" default:"60" doc:"seconds after which a row is overdue"`
	Format  string    `query:"format" enum:"csv,json,html" default:"json"`
	Lang    Lang      `query:"lang" enum:"en,zh-CN" default:"en" doc:"of the page"`
}

// Period answers GET /api/v1/evidence/period: every joiner, mover and leaver between two instants, as they are found. Who has the permission
// for a part of the organisation sees the people of that part.
func (a *API) Period(ctx context.Context, in *PeriodInput) (*huma.StreamResponse, error) {
	file := PeriodFile{Query: Query{From: in.From, Until: in.To, Kinds: in.Kinds, Only: in.Only, Overdue: time.Duration(in.Overdue) * time.Second, Scope: httpapi.ScopeFrom(ctx)},
		Format: in.Format, Lang: in.Lang, By: httpapi.CallerFrom(ctx).Actor()}
	if err := file.check(); err != nil {
		return nil, err
	}
	if err := a.Store.exportedPeriod(ctx, file); err != nil {
		return nil, err
	}
	head := File("period-"+in.From.UTC().Format("20060102")+"-"+in.To.UTC().Format("20060102"), in.Format, nil)
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", head.Type)
		h.SetHeader("Content-Disposition", head.Disposition)
		h.SetHeader("Content-Security-Policy", head.Policy)
		if err := a.Store.writePeriod(ctx, file, h.BodyWriter()); err != nil {
			a.Store.Log.ErrorContext(ctx, "report was not written to its end", "error", err)
			panic(http.ErrAbortHandler) // the caller must not take a part for the whole
		}
	}}, nil
}
