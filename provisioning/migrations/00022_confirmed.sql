-- +goose Up
-- Whom a release let go is known to the directory, which counts what people lost.
drop index held_removals_confirmed;

-- +goose Down
create index held_removals_confirmed on held_removals (ended_at, person) where released_by <> '';
