package scim

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	scimerrors "github.com/elimity-com/scim/errors"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// refuse makes a 400 answer (RFC 7644 section 3.12) of the given scimType.
func refuse(kind scimerrors.ScimType, format string, args ...any) scimerrors.ScimError {
	return scimerrors.ScimError{Status: http.StatusBadRequest, ScimType: kind, Detail: fmt.Sprintf(format, args...)}
}

func answer(status int, format string, args ...any) scimerrors.ScimError {
	return scimerrors.ScimError{Status: status, Detail: fmt.Sprintf(format, args...)}
}

func invalidValue(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeInvalidValue, format, args...)
}

func invalidSyntax(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeInvalidSyntax, format, args...)
}

func invalidPath(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeInvalidPath, format, args...)
}

func invalidFilter(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeInvalidFilter, format, args...)
}

func notFound(id string) scimerrors.ScimError { return scimerrors.ScimErrorResourceNotFound(id) }

// outside turns an error of the store into the answer the outside sees; what it does not know is logged in
// full and answered as a bare 500.
func (h *Handler) outside(r *http.Request, id string, err error) error {
	var known scimerrors.ScimError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, directory.ErrNotFound):
		return notFound(id)
	case errors.Is(err, directory.ErrVersion):
		return answer(http.StatusPreconditionFailed, "The resource has changed since the version named in If-Match.")
	case errors.Is(err, directory.ErrExists):
		return refuseConflict(err)
	case errors.Is(err, directory.ErrInvalid):
		return invalidValue("%s", err)
	}
	h.log.LogAttrs(r.Context(), slog.LevelError, "scim request failed",
		slog.String("request", string(httpapi.RequestFrom(r.Context()))), slog.String("method", r.Method), slog.Any("error", err))
	return scimerrors.ScimErrorInternal
}

// outsideQuery is outside for queries: what the store finds invalid there is the filter.
func (h *Handler) outsideQuery(r *http.Request, err error) error {
	if errors.Is(err, directory.ErrInvalid) {
		return invalidFilter("%s", err)
	}
	return h.outside(r, "", err)
}

func refuseConflict(err error) scimerrors.ScimError {
	return scimerrors.ScimError{Status: http.StatusConflict, ScimType: scimerrors.ScimTypeUniqueness, Detail: err.Error()}
}

func mutability(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeMutability, format, args...)
}

func noTarget(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeNoTarget, format, args...)
}

func tooMany(format string, args ...any) scimerrors.ScimError {
	return refuse(scimerrors.ScimTypeTooMany, format, args...)
}
