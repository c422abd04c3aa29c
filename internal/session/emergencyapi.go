package session

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// EmergencyOutput is how the emergency account stands.
type EmergencyOutput struct {
	Body struct {
		Sealed   bool       `json:"sealed" doc:"it can be used"`
		SealedBy string     `json:"sealed_by,omitempty"`
		SealedAt *time.Time `json:"sealed_at,omitempty"`
		HalfAt   *time.Time `json:"half_at,omitempty" doc:"one of two halves was shown"`
		UsedAt   *time.Time `json:"used_at,omitempty" doc:"it must be sealed anew"`
	}
}

// Emergency answers how the emergency account stands.
func (a *API) Emergency(ctx context.Context, _ *struct{}) (*EmergencyOutput, error) {
	e, err := a.Door.Emergency(ctx)
	out := &EmergencyOutput{}
	b := &out.Body
	b.Sealed, b.SealedBy, b.SealedAt, b.HalfAt, b.UsedAt = !e.SealedAt.IsZero() && e.UsedAt.IsZero(), e.SealedBy, instant(e.SealedAt), instant(e.HalfAt), instant(e.UsedAt)
	return out, err
}

// SealOutput is a new emergency account.
type SealOutput struct {
	Body struct {
		First  string `json:"first" doc:"for one person; shown this once"`
		Second string `json:"second" doc:"for another person; shown this once"`
	}
}

// SealEmergency makes the emergency account anew.
func (a *API) SealEmergency(ctx context.Context, _ *struct{}) (*SealOutput, error) {
	out := &SealOutput{}
	var err error
	out.Body.First, out.Body.Second, err = a.Door.Seal(ctx, httpapi.CallerFrom(ctx))
	return out, err
}
