package directory

import (
	"context"
	"log/slog"
	"time"
)

const (
	day      = 24 * time.Hour
	lookTime = 10 * time.Minute // between two looks at the clock
)

// WatchTokens warns in the log of source tokens that end soon: at once of those with less than 14 days left, then as 14, 3 and
// 1 days are left. It answers the error of ctx, when that ends.
func (s *Store) WatchTokens(ctx context.Context) error {
	var last time.Time
	for {
		now := s.clock()
		if err := s.warnOfTokens(ctx, last, now); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "source tokens not looked through", "error", err)
		} else {
			last = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookTime):
		}
	}
}

// warnOfTokens warns of tokens that passed a mark after last.
func (s *Store) warnOfTokens(ctx context.Context, last, now time.Time) error {
	sources, err := s.Sources(ctx)
	if err != nil {
		return err
	}
	for _, source := range sources {
		tokens, err := s.SourceTokens(ctx, source.ID)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			if t.Live(now) && passedMark(t.ExpiresAt, last, now) {
				s.log.WarnContext(ctx, "source token ends soon", slog.String("source", source.Name), slog.String("token", string(t.ID)),
					slog.Time("expires_at", t.ExpiresAt), slog.Int("days", int(t.ExpiresAt.Sub(now)/day)))
			}
		}
	}
	return nil
}

// passedMark tells whether the time left until expires fell to 14, 3 or 1 days after last and up to now.
func passedMark(expires, last, now time.Time) bool {
	if expires.IsZero() {
		return false
	}
	for _, days := range []time.Duration{14, 3, 1} {
		if mark := expires.Add(-days * day); mark.After(last) && !mark.After(now) {
			return true
		}
	}
	return false
}
