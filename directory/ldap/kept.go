package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// settingMapping names the mapping that administrators keep of a source, over that of the configuration.
const settingMapping = "ldap.mapping"

// kept is a version of it.
type kept struct {
	Mapping
	File bool `json:"file,omitempty"` // back to what the configuration says
}

func keptOf(s directory.Setting) (kept, error) {
	if s.Version == 0 {
		return kept{File: true}, nil
	}
	var k kept
	if err := json.Unmarshal(s.Value, &k); err != nil {
		return kept{}, fmt.Errorf("mapping %d of a source: %w", s.Version, err)
	}
	return k, nil
}

// in answers c, the configuration, with the mapping that is kept; where none is, it is c.
func (k kept) in(c Config) Config {
	if k.File {
		return c
	}
	return k.Mapping.in(c)
}

// Kept answers c, the configuration of a source, with the mapping that administrators keep of it instead of its own, where they do.
func Kept(ctx context.Context, store *directory.Store, source id.Source, c Config) (Config, error) {
	s, err := store.Setting(ctx, source, settingMapping)
	if err != nil {
		return c, err
	}
	k, err := keptOf(s)
	if err != nil {
		return c, err
	}
	return k.in(c), nil
}

// errRemapped ends what is under way, because another mapping holds from now on.
var errRemapped = errors.New("the mapping has changed")

// Remap puts another mapping in force: what is under way is ended, and everybody is read anew. It answers when nothing reads by the old one.
func (s *Syncer) Remap(m Mapping) error {
	if err := m.in(s.config()).Check(); err != nil {
		return err
	}
	return s.halted(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Config = m.in(s.Config)
		return nil
	})
}

// halted runs fn while nothing of the source is under way, which is ended; everything is looked at anew afterwards.
func (s *Syncer) halted(fn func() error) error {
	s.remapping.Lock() // Run does not begin anew before it is done
	defer s.remapping.Unlock()
	if s.stop != nil {
		s.stop(errRemapped)
		<-s.ended
	}
	s.running.Lock()
	defer s.running.Unlock()
	s.space = nil
	if err := s.Close(); err != nil {
		s.Log.Debug("connection to a directory was not closed", "source", s.Source.Name, "error", err)
	}
	return fn()
}

// begin answers the context of one turn of Run, which Remap may end. over is called at its end.
func (s *Syncer) begin(ctx context.Context) (turn context.Context, over func()) {
	s.remapping.Lock()
	defer s.remapping.Unlock()
	turn, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	s.stop, s.ended = stop, ended
	return turn, func() {
		stop(nil)
		close(ended)
	}
}
