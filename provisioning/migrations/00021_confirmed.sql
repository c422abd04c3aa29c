-- +goose Up
-- Who was let go by whoever released a hold: the guard asks nobody twice about them.
create index held_removals_confirmed on held_removals (ended_at, person) where released_by <> '';

-- +goose Down
drop index held_removals_confirmed;
