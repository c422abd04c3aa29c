package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// SourcesOf answers which sources know any of these people.
func (s *Store) SourcesOf(ctx context.Context, people []id.Person) ([]id.Source, error) {
	var out []id.Source
	for part := range slices.Chunk(people, chunk) {
		var some []id.Source
		if err := s.db.Read(ctx).Raw("select distinct source_id from records where person_id in ? and deleted_at is null", db.Pad(part)).Scan(&some).Error; err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		out = append(out, some...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
