package guests

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// BatchOutput answers what a call does about many guests, or would.
type BatchOutput struct{ Body Batch }

func batchOf(b Batch, err error) (*BatchOutput, error) {
	if err != nil {
		return nil, err
	}
	return &BatchOutput{b}, nil
}

// BulkBody is what an owner wants to do about guests of a project group.
type BulkBody struct {
	Action string     `json:"action" enum:"extend,end"`
	Guests []id.Guest `json:"guests" minItems:"1" maxItems:"500"`
	Until  time.Time  `json:"until,omitzero" required:"false" doc:"of extend"`
	Reason string     `json:"reason" minLength:"1" maxLength:"500"`
}

// BulkLookInput asks what something would do.
type BulkLookInput struct {
	ID   id.Group `path:"id"`
	Body BulkBody
}

// BulkInput does what was shown.
type BulkInput struct {
	ID   id.Group `path:"id"`
	Body struct {
		BulkBody
		ShownBody
	}
}

// ShownBody names what somebody was shown: its at and basis.
type ShownBody struct {
	At    time.Time `json:"at"`
	Basis string    `json:"basis" minLength:"64" maxLength:"64"`
}

func (b ShownBody) shown() Shown { return Shown{b.At.UTC(), b.Basis} }

// LookBulk answers POST /api/v1/me/groups/{id}/guests/preview: it writes nothing.
func (a *API) LookBulk(ctx context.Context, in *BulkLookInput) (*BatchOutput, error) {
	return a.bulk(ctx, in.ID, Shown{}, in.Body)
}

// Bulk answers POST /api/v1/me/groups/{id}/guests/apply when it is in force.
func (a *API) Bulk(ctx context.Context, in *BulkInput) (*BatchOutput, error) {
	return a.bulk(ctx, in.ID, in.Body.shown(), in.Body.BulkBody)
}

func (a *API) bulk(ctx context.Context, group id.Group, shown Shown, b BulkBody) (*BatchOutput, error) {
	if err := a.owns(ctx, group); err != nil {
		return nil, err
	}
	return batchOf(a.Engine.Bulk(ctx, directory.CauseFrom(ctx, b.Reason), shown, Bulk{Group: group, Caller: httpapi.CallerFrom(ctx).Person, End: b.Action == "end", Guests: b.Guests,
		Until: b.Until.UTC().Truncate(time.Microsecond), Reason: b.Reason}))
}

// ImportLookInput asks what would become of a file.
type ImportLookInput struct{ Body FileBody }

// FileBody is a file of people to let in: comma-separated values with the columns company, email, name, group, channels, until, reason and, for administrators, sponsor.
type FileBody struct {
	File string `json:"file" minLength:"1" maxLength:"1000000" doc:"its text; channels and spaces between them, until as a day or an instant"`
}

// ImportInput does what was shown.
type ImportInput struct {
	Body struct {
		FileBody
		ShownBody
	}
}

// LookImport answers POST /api/v1/guests/import/preview: it writes nothing.
func (a *API) LookImport(ctx context.Context, in *ImportLookInput) (*BatchOutput, error) {
	return a.load(ctx, Shown{}, in.Body.File, "")
}

// Import answers POST /api/v1/guests/import when those are in who need nobody's approval.
func (a *API) Import(ctx context.Context, in *ImportInput) (*BatchOutput, error) {
	return a.load(ctx, in.Body.shown(), in.Body.File, "")
}

// LookImportMine answers POST /api/v1/me/guests/import/preview: the caller answers for all of them.
func (a *API) LookImportMine(ctx context.Context, in *ImportLookInput) (*BatchOutput, error) {
	return a.load(ctx, Shown{}, in.Body.File, httpapi.CallerFrom(ctx).Person)
}

// ImportMine answers POST /api/v1/me/guests/import.
func (a *API) ImportMine(ctx context.Context, in *ImportInput) (*BatchOutput, error) {
	return a.load(ctx, in.Body.shown(), in.Body.File, httpapi.CallerFrom(ctx).Person)
}

func (a *API) load(ctx context.Context, shown Shown, file string, sponsor id.Person) (*BatchOutput, error) {
	return batchOf(a.Engine.Import(ctx, directory.CauseFrom(ctx, "import"), shown, file, sponsor))
}
