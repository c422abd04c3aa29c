package directory_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/feed"
)

// A read token keeps its scope, a test token is counted and listed nowhere, and a token that is over is still known by its source.
func TestTokenScopes(t *testing.T) {
	run(t, func(w *world) {
		secret, read, err := w.IssueToken(w.ctx, directory.Cause{}, w.scim, directory.NewToken{Name: "look", Scope: directory.ScopeRead})
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := w.CheckSourceToken(w.ctx, secret); err != nil || got.Scope != directory.ScopeRead {
			t.Errorf("%+v, %v", got, err)
		}
		if _, _, err := w.IssueToken(w.ctx, directory.Cause{}, w.scim, directory.NewToken{Scope: "all"}); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
		if _, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, w.scim, "main", time.Time{}); err != nil {
			t.Fatal(err)
		}
		secret, test, err := w.IssueTestToken(w.ctx, directory.Cause{}, w.scim)
		if err != nil {
			t.Fatal("two live tokens leave no room for a test:", err)
		}
		if s, got, err := w.CheckSourceToken(w.ctx, secret); err != nil || s.ID != w.scim || !got.Temporary {
			t.Errorf("%+v, %v", got, err)
		}
		if tokens, err := w.SourceTokens(w.ctx, w.scim); err != nil || len(tokens) != 2 {
			t.Errorf("%+v, %v", tokens, err)
		}
		w.pass(time.Minute)
		if s, got, err := w.CheckSourceToken(w.ctx, secret); !errors.Is(err, directory.ErrToken) || s.ID != w.scim || got.ID != test.ID {
			t.Errorf("%+v, %v", got, err)
		}
		if err := w.DropTestToken(w.ctx, read.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.DropTestToken(w.ctx, test.ID); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := w.db.Read(w.ctx).Raw("select name from source_tokens order by name").Scan(&left).Error; err != nil || strings.Join(left, " ") != "look main" {
			t.Errorf("%v, %v", left, err)
		}
	})
}

// Of a token that ends soon somebody hears at the start.
func TestTokensEndSoon(t *testing.T) {
	run(t, func(w *world) {
		ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
		defer cancel()
		heard := &ear{fn: cancel}
		s := directory.New(w.db, feed.New(w.db, "watch", slog.New(slog.DiscardHandler)), slog.New(slog.NewJSONHandler(heard, nil)))
		s.Now = w.Now
		_, soon, err := w.IssueToken(w.ctx, directory.Cause{}, w.scim, directory.NewToken{Name: "prod", ExpiresAt: w.at.Add(50 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, w.scim, "for ever", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := s.WatchTokens(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got := heard.String(); strings.Count(got, "source token ends soon") != 1 || !strings.Contains(got, string(soon.ID)) || !strings.Contains(got, `"days":2`) || strings.Contains(got, "prod") {
			t.Error(got)
		}
	})
}

// ear keeps what is logged and tells of it.
type ear struct {
	bytes.Buffer
	fn func()
}

func (e *ear) Write(p []byte) (int, error) {
	defer e.fn()
	return e.Buffer.Write(p)
}
