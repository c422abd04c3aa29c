-- +goose Up
-- By which call, run or plan a membership or a reason ended, or a removal was asked for; empty: by none, or before this was noted.
alter table memberships add column ended_by text not null default '';
create index memberships_ended_by on memberships (ended_by) where ended_by <> '';
alter table reasons add column ended_by text not null default '';
create index reasons_ended_by on reasons (ended_by) where ended_by <> '';
alter table held_removals add column asked_by text not null default '';
create index held_removals_asked_by on held_removals (asked_by) where asked_by <> '';

-- +goose Down
drop index held_removals_asked_by;
alter table held_removals drop column asked_by;
drop index reasons_ended_by;
alter table reasons drop column ended_by;
drop index memberships_ended_by;
alter table memberships drop column ended_by;
