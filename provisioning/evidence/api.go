package evidence

import (
	"context"
	"encoding/base64"
	"time"

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
