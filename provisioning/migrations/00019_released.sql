-- +goose Up
-- Who had a held removal go through: it is carried out, if need be by another node after a crash.
alter table held_removals add column released_by text not null default '';
create index held_removals_released on held_removals (membership) where released_by <> '' and ended_at is null;

-- +goose Down
drop index held_removals_released;
alter table held_removals drop column released_by;
