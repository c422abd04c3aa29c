-- +goose Up
-- What asks for a held removal now, where that is not what it was held for: the source, and since when.
alter table held_removals add column now_cause text not null default '';
alter table held_removals add column now_source text not null default '';
alter table held_removals add column now_at bigint;

-- +goose Down
alter table held_removals drop column now_at;
alter table held_removals drop column now_source;
alter table held_removals drop column now_cause;
