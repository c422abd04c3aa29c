package scim

import (
	"context"
	"log/slog"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// maxChain bounds how far a chain of managers is followed.
const maxChain = 64

// warnOfManagers looks whether a chain of managers comes back to where it began. That is the source's business and
// accepted as data; somebody should hear of it.
func (c *call) warnOfManagers(ctx context.Context, record directory.Record) {
	at := record
	for range maxChain {
		if at.ManagerKey == string(record.Link) {
			c.h.log.WarnContext(ctx, "managers form a cycle", slog.String("source", string(c.source.ID)), slog.String("link", string(record.Link)))
			return
		}
		next, err := c.h.store.Record(ctx, c.source.ID, id.Link(at.ManagerKey))
		if err != nil {
			return // nobody above
		}
		at = next
	}
}

// warnOfGroups looks whether a write put a group into itself, directly or by one other group.
func (c *call) warnOfGroups(ctx context.Context, group directory.GroupRecord, change directory.Change) {
	var added []string
	switch change := change.(type) {
	case directory.CreateGroup:
		added = change.Members
	case directory.EditGroup:
		added = change.Add
		if change.Replace != nil {
			added = *change.Replace
		}
	}
	for _, value := range added {
		if !strings.HasPrefix(value, groupPrefix) {
			continue
		}
		inside := value == string(group.ID)
		if !inside {
			page, err := c.h.store.Members(ctx, id.DirectoryGroup(value), directory.MemberQuery{Value: string(group.ID)})
			inside = err == nil && page.Total > 0
		}
		if inside {
			c.h.log.WarnContext(ctx, "group is a member of itself", slog.String("source", string(c.source.ID)), slog.String("group", string(group.ID)), slog.String("through", value))
		}
	}
}

// AuditMissing makes an Options.Missing that writes one audit record per call, action "scim.missing", subject the id.
// A failure to write it is logged and changes no answer.
func AuditMissing(d *db.DB, log *slog.Logger) func(context.Context, directory.Cause, string) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(ctx context.Context, cause directory.Cause, resource string) {
		err := d.Tx(context.WithoutCancel(ctx), func(tx *db.Tx) error {
			return audit.Append(tx, audit.Record{Actor: string(cause.Token), Action: "scim.missing", Subject: resource,
				Cause: "source " + string(cause.Source), RequestID: string(cause.Request),
				Public: map[string]any{"by_source": cause.Source, "token": cause.Token}})
		})
		if err != nil {
			log.ErrorContext(ctx, "missing resource not audited", "request", cause.Request, "error", err)
		}
	}
}
